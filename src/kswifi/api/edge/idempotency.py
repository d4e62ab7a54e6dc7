"""Execute each request once, however often the client sends it.

A client that lost a response sends the same request again with the same Idempotency-Key and gets the same response.
If the work is one database step, the key, the work and the response are one transaction. For other work, which has
transactions of its own, the key is stored in a transaction before the work begins. A crash between the two is safe
because of ``operation_id``, which is derived from user and key: the work derives its ids from it, so a repeated
request continues the work and does not do it twice.

Successful responses are kept. A refusal changed nothing, so its key is freed and the client may try again, for
example when it is back on WiFi.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID, uuid5

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, select, update

from kswifi.accounts.model import SignedIn
from kswifi.api.edge.dependencies import ServicesDep, SignedInWriter
from kswifi.api.edge.errors import (
    IDEMPOTENCY_KEY_INVALID,
    IDEMPOTENCY_KEY_MISSING,
    IDEMPOTENCY_KEY_REUSED,
    REQUEST_IN_FLIGHT,
    REQUEST_TOOK_TOO_LONG,
)
from kswifi.api.edge.sql import idempotent_request
from kswifi.database.dialect import insert
from kswifi.database.engine import BUSY_SECONDS, Database, Step, transaction_instant

KEEP_FOR: Final = timedelta(days=2)
WORK_SECONDS: Final = 30
IN_FLIGHT: Final = timedelta(seconds=60)
"""After this time a request in flight has died with its process; longer than the limit WORK_SECONDS."""

KEY_LENGTHS: Final = range(8, 129)
KEY_PATTERN: Final = "^[!-~]+$"

PRUNE_LIMIT: Final = 500

_NAMESPACE: Final = UUID("6f1a3c52-64f2-5d0c-9d4e-0d8a4f0f7b11")
_t: Final = idempotent_request.c
# Built once: building a statement costs more than executing it.
_FIND: Final = select(_t.fingerprint, _t.begun_at, _t.status, _t.body).where(
    _t.user_id == bindparam("wanted_user_id"), _t.key == bindparam("wanted_key")
)
_new: Final = insert(idempotent_request)
_KEEP: Final = _new.on_conflict_do_update(
    index_elements=["user_id", "key"],
    set_={"begun_at": _new.excluded.begun_at, "status": _new.excluded.status, "body": _new.excluded.body},
)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that changes something: its user, its key, and the fingerprint of what it requests."""

    database: Database
    user: SignedIn
    key: str
    fingerprint: bytes

    @property
    def operation_id(self) -> str:
        """The UUID of the operation: the same for every repetition, different for every user and key."""
        return str(uuid5(_NAMESPACE, f"{self.user.user.user_id} {self.key}"))

    async def answer(
        self, work: Callable[[], Awaitable[BaseModel | None]], status: int = 200, location: str | None = None
    ) -> Response:
        """Execute the work once and return its response; return the stored response if it was executed before.

        Args:
            work: returns the body of the response; None is no body.
            status: the status of the response.
            location: the path of the resource that the work creates, with fields of the body in braces
                (``/api/v1/payments/{reference}``). It becomes the Location header.

        Raises:
            IDEMPOTENCY_KEY_REUSED: the key belongs to a different request.
            REQUEST_IN_FLIGHT: it is being worked on.
            REQUEST_TOOK_TOO_LONG: the work was given up; sent again, it continues.
        """
        kept = await self._begin()
        if kept is not None:
            return _located(kept, location)
        try:
            async with asyncio.timeout(WORK_SECONDS):
                result = await work()
        except TimeoutError:
            await self._give_back()
            raise REQUEST_TOOK_TOO_LONG("this took too long: send it again with the same key") from None
        except BaseException:
            await self._give_back()
            raise
        body = b"" if result is None else result.model_dump_json().encode()
        await self._keep(status, body)
        return _located(_response(status, body, replayed=False), location)

    async def answer_step(
        self, step: Step[BaseModel | None], status: int = 200, location: str | None = None
    ) -> Response:
        """Execute a step once and return its response; return the stored response if it was executed before.

        The key, the step's writes and the response are one transaction, so no other request sees a partial result.
        Use it for work that is one database step, and ``answer`` for all other work. The arguments are those of
        ``answer``.

        Raises:
            IDEMPOTENCY_KEY_REUSED, REQUEST_IN_FLIGHT: as ``answer``.
        """
        response = await self.database.write(lambda connection: self._answered(connection, step, status))
        return _located(response, location)

    def _answered(self, connection: Connection, step: Step[BaseModel | None], status: int) -> Response:
        kept = self._kept(connection)
        if kept is not None:
            return kept
        result = step(connection)
        body = b"" if result is None else result.model_dump_json().encode()
        answer = {"begun_at": transaction_instant(connection), "status": status, "body": body}
        connection.execute(
            _KEEP, {"user_id": self.user.user.user_id, "key": self.key, "fingerprint": self.fingerprint, **answer}
        )
        return _response(status, body, replayed=False)

    def _kept(self, connection: Connection) -> Response | None:
        """Return the stored response of this key; None if the work has to be done.

        Raises:
            IDEMPOTENCY_KEY_REUSED: the key belongs to a different request.
            REQUEST_IN_FLIGHT: another request with it is being worked on.
        """
        row = connection.execute(
            _FIND, {"wanted_user_id": self.user.user.user_id, "wanted_key": self.key}
        ).one_or_none()
        if row is None:
            return None
        if row.fingerprint != self.fingerprint:
            raise IDEMPOTENCY_KEY_REUSED("this Idempotency-Key was used for a different request")
        if row.status is not None:
            return _response(row.status, row.body, replayed=True)
        if transaction_instant(connection) < row.begun_at + IN_FLIGHT:
            raise REQUEST_IN_FLIGHT("this request is being worked on", retry_after_seconds=1)
        return None

    async def _begin(self) -> Response | None:
        return await self.database.write(self._begun)

    def _begun(self, connection: Connection) -> Response | None:
        """Store the key as in flight; return the stored response if the work was done before."""
        kept = self._kept(connection)
        if kept is None:
            begun = {"begun_at": transaction_instant(connection), "status": None, "body": None}
            connection.execute(
                _KEEP,
                {"user_id": self.user.user.user_id, "key": self.key, "fingerprint": self.fingerprint, **begun},
            )
        return kept

    async def _keep(self, status: int, body: bytes) -> None:
        await self.database.write(
            lambda connection: connection.execute(
                update(idempotent_request).where(self._mine).values(status=status, body=body)
            ),
            wait_seconds=BUSY_SECONDS,
        )

    async def _give_back(self) -> None:
        await self.database.write(
            lambda connection: connection.execute(
                delete(idempotent_request).where(self._mine, _t.status.is_(None))
            ),
            wait_seconds=BUSY_SECONDS,
        )

    @property
    def _mine(self) -> ColumnElement[bool]:
        return and_(_t.user_id == self.user.user.user_id, _t.key == self.key)


async def idempotent_request_of(
    request: Request,
    user: SignedInWriter,
    services: ServicesDep,
    idempotency_key: Annotated[
        str | None,
        Header(description="A random key of this one request, the same when it is sent again: a UUID, say."),
    ] = None,
) -> IdempotentRequest:
    """Return the idempotent request: the dependency of every route with which a user changes something.

    Raises:
        IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_KEY_INVALID: its header is not there, or cannot be one.
    """
    if idempotency_key is None:
        raise IDEMPOTENCY_KEY_MISSING("send an Idempotency-Key: a random one for each thing you want done")
    visible = all("!" <= letter <= "~" for letter in idempotency_key)
    if len(idempotency_key) not in KEY_LENGTHS or not visible:
        raise IDEMPOTENCY_KEY_INVALID("an Idempotency-Key has 8 to 128 visible ASCII characters")
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(await request.body())
    return IdempotentRequest(services.database, user, idempotency_key, digest.digest())


Idempotent = Annotated[IdempotentRequest, Depends(idempotent_request_of)]


async def forget_in_flight(database: Database) -> None:
    """Free the keys of requests that were in flight when an earlier process died. Call it at start."""
    await database.write(
        lambda connection: connection.execute(delete(idempotent_request).where(_t.status.is_(None)))
    )


def requests_of(connection: Connection, user_id: str, limit: int) -> list[tuple[str, datetime]]:
    """Return the stored keys of a user's requests with their instants, the oldest first, at most ``limit``."""
    query = select(_t.key, _t.begun_at).where(_t.user_id == user_id).order_by(_t.begun_at).limit(limit)
    return [(row.key, row.begun_at) for row in connection.execute(query)]


def forget_requests(connection: Connection, user_id: str) -> None:
    """Delete all stored requests of a user."""
    connection.execute(delete(idempotent_request).where(_t.user_id == user_id))


async def prune_requests(database: Database) -> int:
    """Delete a batch of responses that are older than any retry; return how many."""

    def change(connection: Connection) -> int:
        old = (
            select(_t.user_id, _t.key)
            .where(_t.begun_at < transaction_instant(connection) - KEEP_FOR)
            .limit(PRUNE_LIMIT)
        )
        rows = connection.execute(old).all()
        for user_id, key in rows:
            connection.execute(delete(idempotent_request).where(_t.user_id == user_id, _t.key == key))
        return len(rows)

    return await database.write(change, alone=True)


def _response(status: int, body: bytes, *, replayed: bool) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(body, status, headers, media_type="application/json" if body else None)


def _located(response: Response, location: str | None) -> Response:
    """Set the Location header from a path with fields of the response's JSON body in braces."""
    if location is not None:
        response.headers["Location"] = location.format_map(json.loads(bytes(response.body)))
    return response

"""The API on a real socket, and a client that behaves like our page."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2
from fastapi import APIRouter

from kswifi.accounts.passkeys import PasskeyService
from kswifi.accounts.relying_party import RelyingParty
from kswifi.accounts.service import AccountRules, AccountService
from kswifi.api.app import create_app
from kswifi.api.edge.streams import EventStreams
from kswifi.api.server import ApiServer
from kswifi.api.services import Check, Environment, Services
from kswifi.catalogue.service import Catalogue
from kswifi.free_data.pseudonyms import Marks
from kswifi.identifier_proofs.service import IdentifierProofs, ProofSenders
from kswifi.kernel.clock import Clock
from kswifi.notifications.service import NotificationService
from kswifi.phone_verification.code_limits import CodeLimiter
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.service import PhoneVerifications
from tests.support.accounts import cheap_passwords
from tests.support.databases import open_database
from tests.support.pushes import push_transport

PASSWORD: Final = "three warm rivers"


class Page:
    """A signed-in client: sends the cookie, the CSRF token and a fresh Idempotency-Key."""

    def __init__(self, client: httpx2.AsyncClient, login: Mapping[str, Any]) -> None:
        self.client = client
        self.user_id: str = login["account"]["user_id"]
        self.csrf_token: str = login["csrf_token"]

    async def send(self, method: str, path: str, body: object = None, key: str | None = None) -> httpx2.Response:
        headers = {"X-CSRF-Token": self.csrf_token, "Idempotency-Key": key or str(uuid4())}
        return await self.client.request(method, path, json=body, headers=headers)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    clock: Clock | None = None,
    rules: AccountRules | None = None,
    readiness: Mapping[str, Check] | None = None,
    extra: APIRouter | None = None,
    **environment: Any,
) -> AsyncIterator[tuple[httpx2.AsyncClient, Services]]:
    """Serve accounts, catalogue and events (and ``extra``) on a free port; give a client and the services."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    passwords = cheap_passwords()
    async with open_database(folder, clock) as database:
        digest, lab, limiter = Marks(bytes(32)).digest, LabOutbox(database), CodeLimiter()
        accounts = AccountService(database, passwords, rules, digest=digest)
        given = Environment(**{"mode": "embedded", "public_origin": origin, **environment})
        services = Services(
            database=database,
            accounts=accounts,
            notifications=NotificationService(database, push_transport(database.clock)),
            passkeys=PasskeyService(database, accounts, RelyingParty.of(given.public_origin)),
            catalogue=Catalogue.load(),
            streams=EventStreams(database),
            environment=given,
            readiness=readiness or {},
            phone_verifications=PhoneVerifications(database, digest, LabOutbox(database), limiter=limiter),
            identifier_proofs=IdentifierProofs(database, digest, ProofSenders(lab, lab), limiter),
        )
        app = create_app(services)
        if extra is not None:  # goes before the product's routes, so that it can stand in for some
            app.include_router(extra)
            app.router.routes.insert(0, app.router.routes.pop())
        server = ApiServer(app)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with httpx2.AsyncClient(base_url=origin, timeout=10) as client:
                yield client, services
        finally:
            server.should_exit = True
            await asyncio.wait_for(running, 20)
            listener.close()
            passwords.close()


async def register(client: httpx2.AsyncClient, identifier: str = "08031234567") -> Page:
    """Make an account; the client keeps its cookie."""
    answer = await client.post("/api/v1/accounts", json={"identifier": identifier, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return Page(client, answer.json())


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check that the answer is this problem document, and return it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    document: dict[str, Any] = answer.json()
    assert (document["code"], document["status"]) == (code, status), document
    assert document["type"] == f"urn:kswifi:problem:{code}"
    assert document["detail"]
    return document

"""A rehearsal SMS provider: one server with the APIs of both providers, its messages, and faults to inject."""

import asyncio
import hmac
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kswifi.kernel.listening import loopback_socket
from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.limits import ConnectionLimits
from kswifi.listeners.pool import ConnectionPool

LARGEST_BODY_OCTETS: Final = 8_192
MESSAGES_LIMIT: Final = 1_000
_MOST_CONNECTIONS: Final = 64
BLOCKED_NUMBER: Final = "2348099999999"
"""A phone number that both APIs refuse."""


class Wrong(StrEnum):
    """How one call goes wrong."""

    NO_ANSWER = "no_answer"
    """The message is accepted, and there is no answer."""
    RATE_LIMITED = "rate_limited"
    BROKEN = "broken"
    """The answer is 500; the message is not accepted."""
    UNREADABLE = "unreadable"
    """The message is accepted, and answered with a page of HTML."""


class _TermiiMessage(msgspec.Struct, forbid_unknown_fields=True):
    api_key: str
    to: Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{7,14}$")]
    sender: Annotated[str, msgspec.Meta(min_length=3, max_length=11)] = msgspec.field(name="from")
    sms: Annotated[str, msgspec.Meta(min_length=1, max_length=918)]
    type: str
    channel: str


@dataclass
class RehearsalProvider:
    """The provider.

    Attributes:
        key: the API key that callers must send.
        username: the user name that callers of Africa's Talking must send.
        taken: the accepted messages, newest last, as (phone number without +, text).
        wrongs: the faults to inject into the next calls.
        origin: where it is served.
    """

    key: str
    username: str
    taken: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=MESSAGES_LIMIT))
    wrongs: deque[Wrong] = field(default_factory=lambda: deque(maxlen=MESSAGES_LIMIT))
    origin: str = ""

    def routes(self) -> list[Route]:
        """Return the routes of both APIs."""
        return [
            Route("/api/sms/send", self.termii, methods=["POST"]),
            Route("/version1/messaging", self.africas_talking, methods=["POST"]),
        ]

    async def termii(self, request: Request) -> Response:
        """Accept a message as Termii does."""
        try:
            asked = msgspec.json.decode(await _body(request), type=_TermiiMessage)
        except msgspec.DecodeError as error:
            return JSONResponse({"code": 400, "message": str(error)}, 400)
        if not hmac.compare_digest(asked.api_key.encode(), self.key.encode()):
            return JSONResponse({"code": 401, "message": "Invalid API key"}, 401)
        if asked.to == BLOCKED_NUMBER:
            return JSONResponse({"code": 400, "message": "Invalid phone number"}, 400)

        def answer(number: int) -> tuple[int, dict[str, Any]]:
            words = {"message": "Successfully Sent", "balance": 9, "user": "rehearsal"}
            return 200, {"code": "ok", "message_id": f"30175{number:015}", **words}

        return await self._take(request, asked.to, asked.sms, answer)

    async def africas_talking(self, request: Request) -> Response:
        """Accept a message as Africa's Talking does: a form, answered with a status per recipient."""
        form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace")))
        if not hmac.compare_digest(request.headers.get("apikey", "").encode(), self.key.encode()):
            return Response("The supplied authentication is invalid", 401)
        if form.get("username") != self.username or not form.get("to") or not form.get("message"):
            return Response("Request is missing required form field", 400)

        def answer(number: int, code: int = 101, status: str = "Success") -> tuple[int, dict[str, Any]]:
            one = {"statusCode": code, "number": form["to"], "status": status, "cost": "NGN 2.2000"}
            one["messageId"] = f"ATXid_{number:032x}"
            return 201, {"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: NGN 2.2000", "Recipients": [one]}}

        if form["to"] == f"+{BLOCKED_NUMBER}":
            status, body = answer(0, 403, "InvalidPhoneNumber")
            return JSONResponse(body, status)
        return await self._take(request, form["to"].removeprefix("+"), form["message"], answer)

    async def _take(self, request: Request, to: str, words: str, answer: Any) -> Response:
        wrong = self.wrongs.popleft() if self.wrongs else None
        if wrong is Wrong.RATE_LIMITED:
            return JSONResponse({"message": "Too many requests"}, 429)
        if wrong is Wrong.BROKEN:
            return JSONResponse({"message": "Something went wrong"}, 500)
        self.taken.append((to, words))
        if wrong is Wrong.NO_ANSWER:
            while not await request.is_disconnected():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)
        if wrong is Wrong.UNREADABLE:
            return HTMLResponse("<!doctype html><title>One moment</title><p>We will be right back.")
        status, body = answer(len(self.taken))
        return JSONResponse(body, status)


@asynccontextmanager
async def serving_provider(key: str, username: str, port: int = 0) -> AsyncIterator[RehearsalProvider]:
    """Serve a rehearsal provider on loopback; ``port`` 0 takes a free one."""
    provider = RehearsalProvider(key, username)
    listener = loopback_socket("127.0.0.1", port)
    provider.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    pool = ConnectionPool(ConnectionLimits(connections=_MOST_CONNECTIONS))
    server = HttpServer(Starlette(routes=provider.routes()), "sms", pool=pool, stop_seconds=1)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield provider
    finally:
        server.should_exit = server.force_exit = True
        await running


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece[: LARGEST_BODY_OCTETS + 1 - len(body)]
    return bytes(body)

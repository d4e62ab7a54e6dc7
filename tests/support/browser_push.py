"""Chromium's push service on this machine: a real browser subscribes, receives messages, and unsubscribes.

The maker's own is in the internet; the browser's switches lead it here. Its three parts are as the browser knows
them: check-in and registration over HTTPS, the line that stands (`mcs`), and RFC 8030's resource for the senders.
Senders are held to what the real one holds them to: the key that was subscribed with, for this service, in time.
"""

import asyncio
import hashlib
import secrets
import socket
import ssl
import threading
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kswifi.lab.rehearsal.push import PushRequestRefusedError, require_push_message
from tests.support import mcs
from tests.support.authenticator import decoded
from tests.support.es2 import Keyed, self_signed

HOSTS: Final = ("fcm.googleapis.com", "jmt17.google.com")
"""Where Chromium says its subscriptions are: released builds, and all others (Debian's)."""
PATHS: Final = ("fcm/send", "wp", "preprod/wp")
ANDROID_ID: Final = 0x2A2A2A2A2A
SECURITY_TOKEN: Final = 0x1717171717


@dataclass(frozen=True, slots=True)
class Registration:
    """One subscription, as the browser asked for it: the app that gets its messages, and whose it takes."""

    app: str
    subtype: str
    sender: str


@dataclass
class BrowserPush:
    """A push service that runs; ``sent`` is each message's status, in their order."""

    keyed: Keyed
    port: int
    line_port: int
    registrations: dict[str, Registration] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    refuses: bool = False
    """Whether it refuses every sender, as a service does that does not accept the sender's token."""
    _waiting: list[bytes] = field(default_factory=list)
    _line: StreamWriter | None = None

    @property
    def switches(self) -> list[str]:
        """The switches that lead a Chromium to this service only."""
        key = self.keyed.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return [
            f"--gcm-checkin-url=https://127.0.0.1:{self.port}/checkin",
            f"--gcm-registration-url=https://127.0.0.1:{self.port}/register",
            f"--gcm-mcs-endpoint=https://127.0.0.1:{self.line_port}",
            f"--ignore-certificate-errors-spki-list={b64encode(hashlib.sha256(key).digest()).decode()}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        ]

    def senders(self) -> list[str]:
        """Whose messages the subscriptions of pages take: their application server keys."""
        return [one.sender for one in self.registrations.values() if one.subtype.startswith("wp:")]

    async def check_in(self, _request: Request) -> Response:
        return Response(mcs.checkin_response(ANDROID_ID, SECURITY_TOKEN))

    async def register(self, request: Request) -> Response:
        """Make a registration, or with ``delete`` end all of an app's: form fields, either way."""
        if request.headers.get("authorization") != f"AidLogin {ANDROID_ID}:{SECURITY_TOKEN}":
            return Response(status_code=401)
        asked = dict(parse_qsl((await request.body()).decode()))
        made = Registration(asked["app"], asked.get("X-subtype", ""), asked["sender"])
        if "delete" in asked:
            for token in [token for token, one in self.registrations.items() if one.subtype == made.subtype]:
                del self.registrations[token]
            return PlainTextResponse(f"token={made.subtype}")
        token = secrets.token_urlsafe(24)
        self.registrations[token] = made
        return PlainTextResponse(f"token={token}")

    async def push(self, request: Request) -> Response:
        """Take a message of a sender's and hand it on, unread (RFC 8030, 5)."""
        status = self._take(request, await request.body())
        self.sent.append(status)
        return Response(status_code=status)

    def _take(self, request: Request, body: bytes) -> int:
        registration = self.registrations.get(request.path_params["token"])
        host = request.headers["host"]
        if registration is None or host not in HOSTS:
            return 404
        if self.refuses:
            return 403
        try:
            require_push_message(request.headers, f"https://{host}", decoded(registration.sender))
        except PushRequestRefusedError:
            return 403
        message_id = f"0:{len(self.sent)}"
        message = mcs.data_message(message_id, registration.app, registration.subtype, registration.sender, body)
        if self._line is None:
            self._waiting.append(message)
        else:
            self._line.write(message)
        return 201

    async def line(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve the line of the one browser, until it hangs up."""
        with suppress(IncompleteReadError, ConnectionError):
            assert await reader.readexactly(1) == mcs.VERSION
            writer.write(mcs.VERSION)
            while True:
                tag, _fields = await mcs.read_message(reader)
                if tag == mcs.Tag.LOGIN_REQUEST:
                    writer.write(mcs.login_response() + b"".join(self._waiting))
                    self._waiting.clear()
                    self._line = writer
                elif tag == mcs.Tag.HEARTBEAT_PING:
                    writer.write(mcs.framed(mcs.Tag.HEARTBEAT_ACK, b""))
        if self._line is writer:
            self._line = None
        writer.close()


@contextmanager
def browser_push(folder: Path) -> Iterator[BrowserPush]:
    """Give a push service that runs, in a thread of its own."""
    keyed = self_signed(folder, "push", hosts=HOSTS)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as line:
        service = BrowserPush(keyed, listener.getsockname()[1], line.getsockname()[1])
        server = _https(service)
        running = threading.Thread(target=lambda: asyncio.run(_serve(service, server, listener, line)))
        running.start()
        try:
            yield service
        finally:
            server.should_exit = True
            running.join(20)


def _https(service: BrowserPush) -> uvicorn.Server:
    routes = [
        Route("/checkin", service.check_in, methods=["POST"]),
        Route("/register", service.register, methods=["POST"]),
        *(Route(f"/{path}/{{token}}", service.push, methods=["POST"]) for path in PATHS),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        ws="none",
        lifespan="off",
        log_config=None,
        ssl_certfile=str(service.keyed.pem),
        ssl_keyfile=str(service.keyed.key),
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment] # the test's own stay
    return server


async def _serve(
    service: BrowserPush, server: uvicorn.Server, listener: socket.socket, line: socket.socket
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(service.keyed.pem, service.keyed.key)
    lines = await asyncio.start_server(service.line, sock=line, ssl=context)
    await server.serve(sockets=[listener])
    lines.close()

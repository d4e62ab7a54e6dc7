"""A small application on an `HttpServer`, with deadlines of a fraction of a second, and clients that misbehave."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.limits import ConnectionLimits
from kswifi.listeners.pool import ConnectionPool
from kswifi.servers.lan import lan_context, new_ca

LOOPBACK: Final = IPv4Address("127.0.0.1")
SHORT: Final = ConnectionLimits(
    connections=400,
    per_address=400,
    handshake_seconds=0.3,
    head_seconds=0.3,
    body_seconds=0.3,
    idle_seconds=0.3,
    read_seconds=0.3,
)
LARGE_OCTETS: Final = 20_000_000
REQUEST: Final = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"


async def _ping(_request: Request) -> Response:
    return PlainTextResponse("pong")


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _large(_request: Request) -> Response:
    return Response(bytes(LARGE_OCTETS))


async def _events(_request: Request) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"data: x\n\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(lines(), media_type="text/event-stream")


ROUTES: Final = [
    Route("/ping", _ping),
    Route("/echo", _echo, methods=["POST"]),
    Route("/large", _large),
    Route("/events", _events),
]


@dataclass(frozen=True)
class Listening:
    """A server that runs; ``client_tls`` is None for plain HTTP."""

    port: int
    pool: ConnectionPool
    client_tls: ssl.SSLContext | None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self, *, shake_hands: bool = True) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls = self.client_tls if shake_hands else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls)
        self._writers.append(writer)
        return reader, writer

    async def leave(self) -> None:
        """Close what a test left open."""
        while self._writers:
            self._writers.pop().transport.abort()
        await asyncio.sleep(0.02)

    async def ask(self, request: bytes = REQUEST) -> bytes:
        """Send a request on a connection of its own; return the status line and all that follows in 0.2 s."""
        reader, writer = await self.connect()
        try:
            writer.write(request)
            return await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        finally:
            writer.transport.abort()


@asynccontextmanager
async def listening(
    folder: Path, *, tls: bool = False, limits: ConnectionLimits = SHORT
) -> AsyncIterator[Listening]:
    """Serve the application by HTTP or HTTPS until the block ends."""
    context = client = None
    if tls:
        now = datetime.now(UTC)
        context = lan_context(new_ca(now), LOOPBACK, now, folder / "certificate.pem")
        client = ssl.create_default_context()
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    pool = ConnectionPool(limits)
    server = HttpServer(Starlette(routes=ROUTES), "test", pool=pool, tls=context, stop_seconds=1)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with AsyncExitStack() as stack:

        async def stop() -> None:
            server.should_exit = True
            await running

        stack.push_async_callback(stop)
        serving = Listening(port, pool, client)
        stack.push_async_callback(serving.leave)
        yield serving


async def closes(reader: asyncio.StreamReader, seconds: float = 5.0) -> bytes:
    """Return what still comes until the server closes; raises TimeoutError where it does not."""
    try:
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionError:
        return b""

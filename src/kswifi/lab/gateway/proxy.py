"""The user plane: an HTTP forward proxy for any client, from the handshake to the joined flow."""

import asyncio
import hmac
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog

from kswifi.kernel.listening import loopback_socket
from kswifi.lab.gateway.bearer import Bearer
from kswifi.lab.gateway.destinations import Destination, Destinations
from kswifi.lab.gateway.errors import ProxyRefusedError
from kswifi.lab.gateway.proxy_head import HeadReader, ProxyRequest
from kswifi.lab.gateway.relay import Drain, Flow, prepare

_log = structlog.get_logger(__name__)

_HEAD_SECONDS: Final = 15.0
_CONNECT_SECONDS: Final = 10.0
_READ_OCTETS: Final = 16_384
_MOST_HANDSHAKES: Final = 512
_ACCEPTED_AT_ONCE: Final = 64
_BACKLOG: Final = 256
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """Listens for clients, knows their bearers by credentials, and joins them to the net."""

    def __init__(self, bearers: Mapping[str, Bearer], destinations: Destinations) -> None:
        self._bearers = bearers
        self._destinations = destinations
        self._listener: socket.socket | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._upstreams: set[tuple[str, int]] = set()

    def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen on this machine alone; return the address."""
        self._listener = loopback_socket(host, port, backlog=_BACKLOG)
        self._listener.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)
        address: tuple[str, int] = self._listener.getsockname()[:2]
        return address

    async def close(self) -> None:
        """Listen no more and drop what is still shaking hands; flows are their bearers' to end."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        for task in list(self._handshakes):
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def owns_socket(self, host: str, port: int) -> bool:
        """Tell whether a connection from this address is one of the proxy's own to the net."""
        return (host, port) in self._upstreams

    def _accept(self) -> None:
        if self._listener is None:
            return
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            if len(self._handshakes) >= _MOST_HANDSHAKES:
                client.close()
                continue
            prepare(client)
            task = asyncio.get_running_loop().create_task(self._serve(client))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _serve(self, client: socket.socket) -> None:
        try:
            await self._shake_hands(client)
        except ProxyRefusedError as refused:
            await _refuse(client, refused)
        except (OSError, TimeoutError):
            client.close()
        except asyncio.CancelledError:
            client.close()
            raise

    async def _shake_hands(self, client: socket.socket) -> None:
        request = await _read_request(client)
        bearer = self._authenticate(request)
        # Before the look-up too: a line on hold does not even ask the net for names.
        bearer.admit(is_origin=self._destinations.is_origin(request.host, request.port))
        destination = await self._destinations.resolve(request.host, request.port)
        bearer.admit(is_origin=destination.is_origin)
        upstream = await _connect(destination)
        try:
            # Again: the bearer's access may have changed meanwhile. From here on nothing is awaited.
            allowance = bearer.admit(is_origin=destination.is_origin)
        except ProxyRefusedError:
            upstream.close()
            raise

        def closed(flow: Flow) -> None:
            bearer.discard(flow)
            self._upstreams.discard(flow.upstream_address)

        flow = Flow(client, upstream, allowance, closed, request.head + request.early, request.body_octets)
        bearer.add(flow)
        self._upstreams.add(flow.upstream_address)
        if request.is_tunnel:
            try:
                client.send(_ESTABLISHED)  # nothing was written before: so few octets always fit
            except OSError:
                flow.close()
                return
        flow.start()

    def _authenticate(self, request: ProxyRequest) -> Bearer:
        bearer = self._bearers.get(request.bearer_id)
        expected = bearer.password if bearer is not None else ""
        # compare_digest in either case: how long it takes tells nothing about the bearer.
        matches = hmac.compare_digest(request.password.encode(), expected.encode())
        if bearer is None or not matches:
            raise ProxyRefusedError(407, "these are not the credentials of an attach\n")
        return bearer


async def _read_request(client: socket.socket) -> ProxyRequest:
    loop, head = asyncio.get_running_loop(), HeadReader()
    async with asyncio.timeout(_HEAD_SECONDS):
        while True:
            octets = await loop.sock_recv(client, _READ_OCTETS)
            request = head.feed(octets)
            if request is not None:
                return request


async def _connect(destination: Destination) -> socket.socket:
    """Connect to the first checked address that answers.

    Raises:
        ProxyRefusedError: 502 or 504 none does.
    """
    loop = asyncio.get_running_loop()
    status = 502
    for family, address in destination.addresses:
        upstream = socket.socket(family, socket.SOCK_STREAM)
        prepare(upstream)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await loop.sock_connect(upstream, address)
        except TimeoutError:
            status = 504
            upstream.close()
        except OSError:
            upstream.close()
        except BaseException:
            upstream.close()
            raise
        else:
            return upstream
    raise ProxyRefusedError(status, "the destination does not answer\n")


async def _refuse(client: socket.socket, refused: ProxyRefusedError) -> None:
    body = refused.message.encode()
    lines = [
        f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if refused.status == 407:
        lines.append('Proxy-Authenticate: Basic realm="KSWiFi access gateway", charset="UTF-8"')
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = "\r\n".join([*lines, "", ""]).encode()
            await asyncio.get_running_loop().sock_sendall(client, head + body)
    except (OSError, TimeoutError):
        client.close()
        return
    Drain(client)

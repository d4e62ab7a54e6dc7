"""The user plane: an HTTP forward proxy for any client, from the handshake to the joined flow."""

import asyncio
import hmac
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kswifi.kernel.listening import loopback_socket
from kswifi.lab.gateway.acceptor import Acceptor
from kswifi.lab.gateway.bearer import Bearer
from kswifi.lab.gateway.destinations import Destination, Destinations
from kswifi.lab.gateway.drain import Drain, close_oldest_drains
from kswifi.lab.gateway.errors import ProxyRefusedError
from kswifi.lab.gateway.exchange import BrokenMessageError, refusal
from kswifi.lab.gateway.proxy_head import HeadReader, ProxyRequest
from kswifi.lab.gateway.relay import Flow
from kswifi.lab.sockets import is_out_of_resources, prepare

_HEAD_SECONDS: Final = 15.0
_LOOK_UP_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 10.0
_MOST_ADDRESSES: Final = 4
"""How many addresses of a name are tried, one after another."""
_READ_OCTETS: Final = 16_384
_MOST_HANDSHAKES: Final = 512
_FREED_AT_ONCE: Final = 16
_IDLE_ENOUGH_SECONDS: Final = 10.0
"""Only flows that stand still for so long are closed when descriptors run out."""
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(frozen=True, slots=True)
class IdleLimits:
    """For how many seconds nothing may move in a flow before it is ended."""

    tunnel_seconds: float
    exchange_seconds: float
    """Of a plain request: also while its origin thinks about the answer."""


class Proxy:
    """Listens for clients, knows their bearers by credentials, and joins them to the net."""

    def __init__(self, bearers: Mapping[str, Bearer], destinations: Destinations, idle: IdleLimits) -> None:
        self._bearers = bearers
        self._destinations = destinations
        self._idle = idle
        self._acceptor: Acceptor | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._heads: dict[asyncio.Task[None], None] = {}
        """Handshakes that wait for a request's head, the oldest first."""
        self._flows: dict[tuple[str, int], Flow] = {}
        """By the address of their socket to the net."""

    def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen on this machine alone; return the address."""
        self._acceptor = Acceptor(loopback_socket(host, port), self._accepted, self._make_room)
        return self._acceptor.address

    async def close(self) -> None:
        """Listen no more and drop what is still shaking hands; flows are their bearers' to end."""
        if self._acceptor is not None:
            self._acceptor.close()
        for task in list(self._handshakes):
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def owns_socket(self, host: str, port: int) -> bool:
        """Tell whether a connection from this address is one of the proxy's own to the net."""
        return (host, port) in self._flows

    def _accepted(self, client: socket.socket) -> None:
        if len(self._handshakes) >= _MOST_HANDSHAKES:
            # The oldest that has not said its request yet makes room: slow clients do not lock others out.
            oldest = next(iter(self._heads), None)
            if oldest is None:
                client.close()
                return
            self._drop_head(oldest)
        prepare(client)
        task = asyncio.get_running_loop().create_task(self._serve(client))
        self._handshakes.add(task)
        self._heads[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._handshakes.discard(task)
        self._heads.pop(task, None)

    def _drop_head(self, task: asyncio.Task[None]) -> None:
        self._heads.pop(task, None)
        task.cancel()

    def _make_room(self) -> None:
        """Free descriptors: those of draining connections, of silent clients, then of flows that stand still."""
        left = _FREED_AT_ONCE - close_oldest_drains(_FREED_AT_ONCE)
        silent = list(self._heads)[:left]
        for task in silent:
            self._drop_head(task)
        left -= len(silent)
        before = asyncio.get_running_loop().time() - _IDLE_ENOUGH_SECONDS
        idle = sorted(
            (flow for flow in self._flows.values() if flow.idle_since < before), key=lambda it: it.idle_since
        )
        for flow in idle[:left]:
            flow.close()

    async def _serve(self, client: socket.socket) -> None:
        head = HeadReader()
        try:
            await self._shake_hands(client, head)
        except ProxyRefusedError as refused:
            await _refuse(client, refused, to_head=head.is_head)
        except (OSError, TimeoutError):
            client.close()
        except asyncio.CancelledError:
            client.close()
            raise

    async def _shake_hands(self, client: socket.socket, head: HeadReader) -> None:
        request = await _read_request(client, head)
        task = asyncio.current_task()
        if task is not None:
            self._heads.pop(task, None)
        bearer = self._authenticate(request)
        with bearer.joining():
            # Before the look-up too: a line on hold does not even ask the net for names.
            bearer.admit(is_origin=self._destinations.is_origin(request.host, request.port))
            destination = await self._resolve(request)
            bearer.admit(is_origin=destination.is_origin)
            upstream = await _connect(destination)
            try:
                # Again: the bearer's access may have changed meanwhile. From here on nothing is awaited.
                allowance = bearer.admit(is_origin=destination.is_origin)
                first = request.early if request.exchange is None else request.exchange.begin()
            except ProxyRefusedError:
                upstream.close()
                raise
            except BrokenMessageError as error:
                upstream.close()
                raise ProxyRefusedError(error.status, f"{error}\n") from None

        def closed(flow: Flow) -> None:
            bearer.discard(flow)
            self._flows.pop(flow.upstream_address, None)

        is_tunnel = request.exchange is None
        idle_seconds = self._idle.tunnel_seconds if is_tunnel else self._idle.exchange_seconds
        flow = Flow(client, upstream, allowance, closed, first, request.exchange, idle_seconds=idle_seconds)
        bearer.add(flow)
        self._flows[flow.upstream_address] = flow
        if is_tunnel:
            try:
                client.send(_ESTABLISHED)  # nothing was written before: so few octets always fit
            except OSError:
                flow.close()
                return
        flow.start()

    async def _resolve(self, request: ProxyRequest) -> Destination:
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                return await self._destinations.resolve(request.host, request.port)
        except TimeoutError:
            raise ProxyRefusedError(504, f"the address of {request.host} cannot be looked up now\n") from None

    def _authenticate(self, request: ProxyRequest) -> Bearer:
        bearer = self._bearers.get(request.bearer_id)
        expected = bearer.password if bearer is not None else ""
        # compare_digest in either case: how long it takes tells nothing about the bearer.
        matches = hmac.compare_digest(request.password.encode(), expected.encode())
        if bearer is None or not matches:
            raise ProxyRefusedError(407, "these are not the credentials of an attach\n")
        return bearer


async def _read_request(client: socket.socket, head: HeadReader) -> ProxyRequest:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            while True:
                request = head.feed(await loop.sock_recv(client, _READ_OCTETS))
                if request is not None:
                    return request
    except TimeoutError:
        raise ProxyRefusedError(408, f"no request came in {_HEAD_SECONDS:.0f} seconds\n") from None


async def _connect(destination: Destination) -> socket.socket:
    """Connect to the first checked address that answers.

    Raises:
        ProxyRefusedError: 502 or 504 none does; 503 there are no descriptors left.
    """
    loop = asyncio.get_running_loop()
    status = 502
    for family, address in destination.addresses[:_MOST_ADDRESSES]:
        try:
            upstream = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            if is_out_of_resources(error):
                raise ProxyRefusedError(503, "the access gateway has too many connections open\n") from None
            continue  # a family that this machine does not have
        try:
            prepare(upstream)
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


async def _refuse(client: socket.socket, refused: ProxyRefusedError, *, to_head: bool) -> None:
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            await asyncio.get_running_loop().sock_sendall(client, refusal(refused, to_head=to_head))
    except (OSError, TimeoutError):
        client.close()
        return
    except asyncio.CancelledError:
        client.close()
        raise
    Drain(client)

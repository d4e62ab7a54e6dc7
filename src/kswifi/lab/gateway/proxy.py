"""The user plane: an HTTP forward proxy, from a client's connection to the joined flow."""

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
"""Only flows that have been idle for so long are closed when descriptors run out."""
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(frozen=True, slots=True)
class IdleLimits:
    """How many seconds a flow may be idle before it is ended."""

    tunnel_seconds: float
    """Of a CONNECT tunnel."""
    exchange_seconds: float
    """Of a plain request; its origin must answer within this time."""


class Proxy:
    """Accepts clients, identifies their bearers by credentials, and joins them to their destinations.

    Args:
        bearers: the open bearers by their id; shared with the gateway.
        destinations: decides which destinations may be reached.
        idle: how long flows may be idle.
    """

    def __init__(self, bearers: Mapping[str, Bearer], destinations: Destinations, idle: IdleLimits) -> None:
        self._bearers = bearers
        self._destinations = destinations
        self._idle = idle
        self._acceptor: Acceptor | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._heads: dict[asyncio.Task[None], None] = {}
        """Handshakes that wait for a request's head, the oldest first."""
        self._flows: dict[tuple[str, int], Flow] = {}
        """The open flows, by the local address of their socket to the destination."""

    def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen on a loopback address and return it."""
        self._acceptor = Acceptor(loopback_socket(host, port), self._accepted, self._make_room)
        return self._acceptor.address

    async def close(self) -> None:
        """Stop listening and end handshakes in progress. Open flows are ended by their bearers."""
        if self._acceptor is not None:
            self._acceptor.close()
        for task in list(self._handshakes):
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def owns_socket(self, host: str, port: int) -> bool:
        """Tell whether a connection from this address is one of the proxy's connections to a destination."""
        return (host, port) in self._flows

    def _accepted(self, client: socket.socket) -> None:
        if len(self._handshakes) >= _MOST_HANDSHAKES:
            # The oldest one without a complete request makes room, so that slow clients do not lock others out.
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
        """Free descriptors: of draining connections, then of clients without a request, then of idle flows."""
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
            # Check before the look-up too: a line on hold must not even cause DNS queries.
            bearer.admit(is_origin=self._destinations.is_origin(request.host, request.port))
            destination = await self._resolve(request)
            bearer.admit(is_origin=destination.is_origin)
            upstream = await _connect(destination)
            try:
                # Check again: access may have changed while connecting. From here on nothing is awaited.
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
                client.send(_ESTABLISHED)  # the first octets on this socket always fit into its buffer
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
        # Compare in both cases, so that the time taken does not reveal whether the bearer exists.
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
        ProxyRefusedError: 502 or 504, none answers; 503, no descriptors are left.
    """
    loop = asyncio.get_running_loop()
    status = 502
    for family, address in destination.addresses[:_MOST_ADDRESSES]:
        try:
            upstream = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            if is_out_of_resources(error):
                raise ProxyRefusedError(503, "the access gateway has too many connections open\n") from None
            continue  # this machine does not have the address family
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

"""The HTTP server of every listener: uvicorn, with limits and deadlines for its connections.

uvicorn has a timer for idle connections only. The protocol here reads the state of a request from h11 after every
event and enters the matching phase of the ``ConnectionPool``, which gives every step a deadline.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from kswifi.listeners.acceptor import Acceptor, Admitted, Tls
from kswifi.listeners.pool import Cause, ConnectionPool, HeldConnection, Phase
from kswifi.listeners.progress import taken_octets

if TYPE_CHECKING:
    from starlette.types import ASGIApp

STOP_SECONDS: Final = 10
HEAD_LIMIT_OCTETS: Final = 32 * 1024
_DATE_SECONDS: Final = 1.0
"""How often the Date field of answers is renewed."""
_CLOSING_SECONDS: Final = 0.01
"""How often a stop looks whether the last answers were sent."""
_TLS_SHUTDOWN_SECONDS: Final = 3600.0
"""Longer than any deadline of the pool: the pool, not asyncio, ends a closing connection that nobody reads."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 on one connection, with a deadline for each step of a request.

    If a part of a head has arrived but not the whole in time, the answer is 408 (RFC 9110, 15.5.9). In every other
    case of lateness the connection is closed without an answer.
    """

    held: HeldConnection
    _taken_octets = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head. A TLS handshake is complete by now."""
        super().connection_made(transport)
        self.held.abort = transport.abort
        self.held.late = self._late
        self.held.enter(Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection from the pool."""
        self.held.leave()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received octets, and enter the phase that they lead to."""
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with one that was already received."""
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """Start the deadline within which the client must read the octets waiting for it."""
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 to octets that are not HTTP."""
        self.held.report(Cause.MALFORMED)
        if self.conn.our_state is h11.IDLE or self.conn.our_state is h11.SEND_RESPONSE:
            super().send_400_response(msg)
        else:  # an answer is being sent: another cannot begin
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for too long."""
        self.held.report(Cause.IDLE)
        super().timeout_keep_alive_handler()
        self._follow()

    def shutdown(self) -> None:
        """Close after the answer that is being sent."""
        super().shutdown()
        self._follow()

    def _follow(self) -> None:
        """Enter the phase that the connection is in now. An unchanged phase keeps its deadline."""
        phase = self._phase()
        if phase is not self.held.phase:
            if phase is Phase.READING:
                self._taken_octets = taken_octets(self.transport)
            self.held.enter(phase)

    def _phase(self) -> Phase:
        if self.flow.write_paused or self.transport.is_closing():
            return Phase.READING
        theirs = self.conn.their_state
        if theirs is h11.IDLE:
            served = cast("object", self.cycle) is not None  # uvicorn's annotation omits that it can be None
            return Phase.IDLE if served and not self.conn.trailing_data[0] else Phase.HEAD
        return Phase.BODY if theirs is h11.SEND_BODY else Phase.ANSWER

    def _late(self) -> bool:
        """Decide about a connection whose deadline has passed; return whether the pool must close it.

        A client that has read enough of an answer gets a new period. One that has sent a part of a head gets 408.
        """
        if self.held.phase is Phase.READING:
            taken = taken_octets(self.transport)
            if taken - self._taken_octets >= self.held.read_octets:
                self._taken_octets = taken
                self.held.enter(Phase.READING)
                return False
        elif self.held.phase is Phase.HEAD and self.conn.trailing_data[0]:
            self.held.report(Cause.HEAD_LATE)
            self._answer_late()
            return False
        return True

    def _answer_late(self) -> None:
        """Answer 408 and close."""
        head = h11.Response(status_code=408, headers=[("Connection", "close"), ("Content-Length", "0")])
        for event in (head, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._follow()


class _AdmittedHttp:
    """An admitted connection of an HTTP listener."""

    __slots__ = ("_held", "_make")

    def __init__(self, held: HeldConnection, make: Callable[[HeldConnection], asyncio.Protocol]) -> None:
        self._held = held
        self._make = make

    def make_protocol(self) -> asyncio.Protocol:
        return self._make(self._held)

    def failed(self, error: BaseException | None) -> None:
        if error is not None:  # without an error the pool has counted the cause, or the server is stopping
            self._held.report(Cause.HANDSHAKE_FAILED)
        self._held.leave()


class _HttpDoor:
    def __init__(
        self,
        pool: ConnectionPool,
        listener: str,
        first: Phase,
        make: Callable[[HeldConnection], asyncio.Protocol],
    ) -> None:
        self._pool = pool
        self._listener = listener
        self._first = first
        self._make = make

    def admit(self, address: str, abort: Callable[[], None]) -> Admitted | None:
        held = self._pool.admit(self._listener, address, abort, self._first)
        return None if held is None else _AdmittedHttp(held, self._make)

    def exhausted(self) -> None:
        self._pool.exhausted(self._listener)


class HttpServer(uvicorn.Server):
    """Serves an ASGI application on bound sockets: ``await serve(sockets=[...])``, until ``should_exit`` is set.

    Signal handlers are left to the process, which runs more than this server.

    Args:
        app: the application.
        name: the listener's name in metrics and log lines.
        pool: the connections that share limits; all listeners of one process use the same pool.
        tls: makes it HTTPS.
        protocol: the class that serves a connection.
        lifespan: whether to send the application its start-up and shut-down events.
        head_limit_octets: the longest head of a request.
        stop_seconds: how long a stop waits for answers that are being sent.
    """

    def __init__(
        self,
        app: "ASGIApp",
        name: str,
        *,
        pool: ConnectionPool | None = None,
        tls: ssl.SSLContext | None = None,
        protocol: type[BoundedProtocol] = BoundedProtocol,
        lifespan: bool = False,
        head_limit_octets: int = HEAD_LIMIT_OCTETS,
        stop_seconds: int = STOP_SECONDS,
    ) -> None:
        self._must_exit = False
        self._exit = asyncio.Event()
        self.pool = ConnectionPool() if pool is None else pool
        self._name = name
        self.tls = tls
        self._protocol = protocol
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="on" if lifespan else "off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # fields that name the client are read elsewhere, from trusted proxies only
                # No limit_concurrency: beyond it uvicorn answers every client with 503. The pool makes room
                # instead.
                timeout_keep_alive=cast("int", self.pool.limits.idle_seconds),  # a float works too
                timeout_graceful_shutdown=stop_seconds,
                h11_max_incomplete_event_size=head_limit_octets,
            )
        )

    @property
    def should_exit(self) -> bool:
        """Whether the server stops. Setting it, from the thread of the event loop, stops the server at once."""
        return self._must_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._must_exit = value
        if value:
            self._exit.set()

    async def main_loop(self) -> None:
        """Renew the Date field of answers until the server has to stop.

        uvicorn's loop wakes up ten times a second instead, in each listener of the process.
        """
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._exit.wait(), _DATE_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, and close those there are, each after its answer.

        An answer that takes longer than ``stop_seconds`` is cancelled.
        """
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wait_tasks_to_complete(), self.config.timeout_graceful_shutdown)
        for task in self.server_state.tasks:
            task.cancel()
        if not self.force_exit:
            await self.lifespan.shutdown()

    async def _wait_tasks_to_complete(self) -> None:
        state = self.server_state
        while (state.connections or state.tasks) and not self.force_exit:  # noqa: ASYNC110 - uvicorn sets no event
            await asyncio.sleep(_CLOSING_SECONDS)
        for server in self.servers:
            await server.wait_closed()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the process's signal handlers alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and accept connections with our own ``Acceptor`` instead of asyncio's.

        Raises:
            RuntimeError: the application did not start.
        """
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RuntimeError(f"the application of the {self._name} listener did not start")
        limits = self.pool.limits
        tls = None
        if self.tls is not None:
            tls = Tls(self.tls, limits.handshake_seconds, _TLS_SHUTDOWN_SECONDS)
        first = Phase.HEAD if tls is None else Phase.HANDSHAKE
        door = _HttpDoor(self.pool, self._name, first, self._make_protocol)
        acceptors = [Acceptor(listener, door, tls) for listener in sockets or []]
        for acceptor in acceptors:
            acceptor.start()
        self.servers = cast("list[Any]", acceptors)
        self.started = True

    def _make_protocol(self, held: HeldConnection) -> asyncio.Protocol:
        protocol = self._protocol(self.config, self.server_state, self.lifespan.state)
        protocol.held = held
        return protocol

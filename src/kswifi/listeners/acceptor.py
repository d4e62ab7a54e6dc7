"""Accept connections: a limited number in each turn of the event loop, and none while no descriptor is left.

This replaces asyncio's own accept loop for two reasons. After EMFILE asyncio tries again for each connection of its
backlog, and logs a traceback each time. And it completes the TLS handshake before any protocol object exists, so
that handshakes could not be counted, limited or given a deadline.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

BACKLOG: Final = 1024
"""Connections that the operating system keeps waiting; a longer queue would only make each of them wait longer."""
_ACCEPTED_AT_ONCE: Final = 32
"""Connections accepted in one turn of the loop, so that a flood of new ones delays existing ones only briefly."""
_REST_SECONDS: Final = 0.25
"""The pause after a connection could not be accepted because no descriptor or memory was left."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PEER_UNACKNOWLEDGED_MILLISECONDS: Final = 60_000


class Admitted(Protocol):
    """A connection that a door has admitted."""

    def make_protocol(self) -> asyncio.Protocol:
        """Return the protocol that serves it."""
        ...

    def failed(self, error: BaseException | None) -> None:
        """Handle the end of the connection before its protocol began.

        Args:
            error: why the TLS handshake failed; None if the connection was aborted.
        """
        ...


class Door(Protocol):
    """Decides which connections a listener takes."""

    def admit(self, address: str, abort: Callable[[], None]) -> Admitted | None:
        """Decide about a new connection.

        Args:
            address: the client's IP address.
            abort: closes the connection; valid until its protocol has begun.

        Returns:
            None to refuse the connection.
        """
        ...

    def exhausted(self) -> None:
        """Handle that no descriptor was left; free one if possible."""
        ...


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS of a listener, and how many seconds its handshake and its closing may take."""

    context: ssl.SSLContext
    handshake_seconds: float
    shutdown_seconds: float


class Acceptor:
    """Accepts connections on one listening socket, and closes that socket at the end.

    It has those methods of ``asyncio.Server`` that uvicorn calls. Create it on the running event loop.

    Args:
        listener: a bound socket.
        door: decides which connections are admitted.
        tls: None for plain TCP.
    """

    def __init__(self, listener: socket.socket, door: Door, tls: Tls | None = None) -> None:
        self._listener = listener
        self._door = door
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._resting: asyncio.TimerHandle | None = None
        self._is_open = False

    @property
    def port(self) -> int:
        """The port of the listening socket."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Begin to accept."""
        self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        self._is_open = True
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Stop accepting. Connections whose protocol has begun stay open; handshakes in progress are aborted."""
        if not self._is_open:
            self._listener.close()
            return
        self._is_open = False
        self._loop.remove_reader(self._listener)
        if self._resting is not None:
            self._resting.cancel()
        for task in self._connecting:
            task.cancel()
        self._listener.close()

    async def wait_closed(self) -> None:
        """Wait until every accepted connection has its protocol or has ended."""
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                client, address = self._listener.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest()
                return  # none is waiting, or the client has gone; the loop calls again if more are waiting
            self._take(client, str(address[0]))

    def _take(self, client: socket.socket, address: str) -> None:
        connecting: list[asyncio.Task[None]] = []

        def abort() -> None:
            connecting[0].cancel()

        admitted = self._door.admit(address, abort)
        if admitted is None:
            client.close()
            return
        _prepare(client)
        task = self._loop.create_task(self._connect(client, admitted))
        connecting.append(task)
        self._connecting.add(task)
        task.add_done_callback(partial(self._connected, client, admitted))

    async def _connect(self, client: socket.socket, admitted: Admitted) -> None:
        tls = self._tls
        await self._loop.connect_accepted_socket(
            admitted.make_protocol,
            client,
            ssl=None if tls is None else tls.context,
            ssl_handshake_timeout=None if tls is None else tls.handshake_seconds,
            ssl_shutdown_timeout=None if tls is None else tls.shutdown_seconds,
        )

    def _connected(self, client: socket.socket, admitted: Admitted, task: asyncio.Task[None]) -> None:
        """Clean up after a connection that ended before its protocol began."""
        self._connecting.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return
        admitted.failed(error)
        client.close()
        if error is not None and not isinstance(error, OSError):
            context = {"message": "A connection could not be served", "exception": error}
            self._loop.call_exception_handler(context)

    def _rest(self) -> None:
        """Pause accepting: the listener stays readable, so the loop would call ``_accept`` again in every turn."""
        self._loop.remove_reader(self._listener)
        self._resting = self._loop.call_later(_REST_SECONDS, self._resume)
        self._door.exhausted()

    def _resume(self) -> None:
        self._resting = None
        if self._is_open:
            self._loop.add_reader(self._listener, self._accept)


def _prepare(client: socket.socket) -> None:
    """Set the socket options of an accepted connection: TCP_NODELAY, and TCP_USER_TIMEOUT for vanished peers.

    Without TCP_NODELAY, head and body of every answer wait 40 ms for each other (RFC 1122, 4.2.3.2 and 4.2.3.4).
    asyncio sets it only if the socket names its protocol, and an accepted socket does not.
    """
    options: list[tuple[int, int, Any]] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: RFC 5482
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _PEER_UNACKNOWLEDGED_MILLISECONDS))
    client.setblocking(False)
    for level, name, value in options:
        try:
            client.setsockopt(level, name, value)
        except OSError:
            return  # the client has gone already; the protocol will notice

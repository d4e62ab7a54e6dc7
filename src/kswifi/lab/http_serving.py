"""Serves the lab's small web applications: uvicorn, with limits on slow and idle clients.

uvicorn waits for ever for the rest of a request that has begun, and its limit of connections then locks others out.
"""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import h11
import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from kswifi.lab.sockets import listen, probe_when_idle

_log = structlog.get_logger(__name__)

_MOST_CONNECTIONS: Final = 64
_HEAD_SECONDS: Final = 15.0
"""How long a request's head may take, and how long its body may bring nothing."""
_ACCEPTED_AT_ONCE: Final = 16
_LOG_SECONDS: Final = 30.0


class ImpatientH11Protocol(H11Protocol):
    """Closes a connection that owes the rest of a request for too long."""

    wait_seconds = _HEAD_SECONDS
    _timer: asyncio.TimerHandle | None = None
    _is_in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            probe_when_idle(connection)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on waiting where the request is not whole: a head has one time in all, a body one for each read."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            if not self._is_in_head:
                self._wait()
        elif self.conn.their_state is h11.SEND_BODY:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timer go."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        self._is_in_head = self.conn.their_state is h11.IDLE
        self._timer = self.loop.call_later(self.wait_seconds, self._is_late)

    def _stop_waiting(self) -> None:
        self._is_in_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_late(self) -> None:
        self._timer = None
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.close()


class LabServer(uvicorn.Server):
    """Serves one application on a socket that is bound already: ``await serve(sockets=[...])``."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ImpatientH11Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MOST_CONNECTIONS,
                backlog=_ACCEPTED_AT_ONCE,
                timeout_graceful_shutdown=1,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the process's signal handlers alone."""
        yield


def http_listener(host: str, port: int) -> socket.socket:
    """Listen for ``LabServer``. Raises OSError where the port is taken."""
    listener = listen(host, port)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does so only for its own sockets
    return listener


def bound_accept_log(loop: asyncio.AbstractEventLoop) -> None:
    """Log at most one line in half a minute while asyncio's own servers find no descriptors.

    asyncio pauses for a second then, but reports each of its failed accepts with a traceback.
    """
    logged_at = float("-inf")

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal logged_at
        if context.get("message") != "socket.accept() out of system resource":
            loop.default_exception_handler(context)
        elif loop.time() - logged_at >= _LOG_SECONDS:
            logged_at = loop.time()
            _log.error("new connections cannot be accepted", reason=str(context.get("exception")))

    loop.set_exception_handler(handle)

"""Accept connections on the event loop, and pause while no file descriptors are left."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import structlog

from kswifi.lab.sockets import is_out_of_resources

_log = structlog.get_logger(__name__)

_ACCEPTED_AT_ONCE: Final = 64
_FIRST_BACK_OFF_SECONDS: Final = 0.1
_LONGEST_BACK_OFF_SECONDS: Final = 2.0
_LOG_SECONDS: Final = 30.0


class Acceptor:
    """Accepts connections and passes each, non-blocking, to ``accepted``.

    A failed accept leaves the listener readable, so an immediate retry would spin. When descriptors run out,
    accepting pauses, for a time that doubles with each failure.

    Args:
        listener: a bound socket.
        accepted: gets each connection.
        make_room: called when no descriptors are left, to free some.
    """

    def __init__(
        self,
        listener: socket.socket,
        accepted: Callable[[socket.socket], None],
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._accepted = accepted
        self._make_room = make_room
        self._back_off = _FIRST_BACK_OFF_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._logged_at = float("-inf")
        self.failures = 0
        """How often accepting has failed."""
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    @property
    def address(self) -> tuple[str, int]:
        """The address on which it listens."""
        address: tuple[str, int] = self._listener.getsockname()[:2]
        return address

    def close(self) -> None:
        """Stop listening."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._back_off = _FIRST_BACK_OFF_SECONDS
            connection.setblocking(False)
            self._accepted(connection)

    def _pause(self, error: OSError) -> None:
        self.failures += 1
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(self._back_off, self._go_on)
        self._back_off = min(self._back_off * 2, _LONGEST_BACK_OFF_SECONDS)
        now = self._loop.time()
        if now - self._logged_at >= _LOG_SECONDS:
            self._logged_at = now
            _log.error("new connections cannot be accepted", reason=str(error), failures=self.failures)
        if is_out_of_resources(error):
            self._make_room()

    def _go_on(self) -> None:
        self._timer = None
        self._loop.add_reader(self._listener, self._accept)

"""Closes connections without destroying what is under way to their peers."""

import asyncio
import fcntl
import socket
import termios
from typing import Final

DRAIN_SECONDS: Final = 30.0
"""How long a connection may stand still before it is closed."""
_TICK_SECONDS: Final = 0.25
_READ_OCTETS: Final = 65_536
_SCRATCH: Final = memoryview(bytearray(_READ_OCTETS))


class Drain:
    """Closes a connection without destroying what is under way to its peer.

    Writing is shut down; what the peer still says is read and dropped until it closes, because closing with unread
    octets would send a reset, which may take away what the peer has not read yet. A peer that takes nothing more
    for ``DRAIN_SECONDS`` is closed. With ``read=False`` (the net's side) it ends when all is acknowledged.
    """

    def __init__(self, connection: socket.socket, *, read: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._unsent = unsent_octets(connection)
        self._since = self._loop.time()
        self._read = read
        if not read and not self._unsent:
            connection.close()
            return
        shut_down_writing(connection)
        _DRAINING[self] = None
        if read:
            self._loop.add_reader(connection, self._discard)
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def close(self) -> None:
        """Let go now."""
        self._timer.cancel()
        if self._read:
            self._loop.remove_reader(self._connection)
        self._connection.close()
        _DRAINING.pop(self, None)

    def _discard(self) -> None:
        try:
            if not self._connection.recv_into(_SCRATCH):
                self.close()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()

    def _tick(self) -> None:
        unsent, now = unsent_octets(self._connection), self._loop.time()
        if unsent != self._unsent:
            self._unsent, self._since = unsent, now
        if now - self._since > DRAIN_SECONDS or not (unsent or self._read):
            self.close()
        else:
            self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)


_DRAINING: Final[dict[Drain, None]] = {}
"""In the order in which they began."""


async def drained(seconds: float) -> None:
    """Wait until nothing drains any more, or for these seconds; then close what is left."""
    until = asyncio.get_running_loop().time() + seconds
    while _DRAINING and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - only a stop waits here
        await asyncio.sleep(0.05)
    for drain in list(_DRAINING):
        drain.close()


def close_oldest_drains(most: int) -> int:
    """Close the drains that have gone on for longest, to free their descriptors; return how many."""
    oldest = list(_DRAINING)[:most]
    for drain in oldest:
        drain.close()
    return len(oldest)


def unsent_octets(connection: socket.socket) -> int:
    """Return the octets that the peer's system has not acknowledged yet (SIOCOUTQ)."""
    answer = fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0")
    return int.from_bytes(answer, "little")


def shut_down_writing(connection: socket.socket) -> None:
    """Send the end of the stream behind what is under way."""
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return  # it is gone already: there is nobody to tell

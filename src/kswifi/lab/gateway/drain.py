"""Close connections without losing octets that are still on their way to the peer."""

import asyncio
import fcntl
import socket
import termios
from typing import Final

DRAIN_SECONDS: Final = 30.0
"""How long a draining connection may make no progress before it is closed."""
_TICK_SECONDS: Final = 0.25
_READ_OCTETS: Final = 65_536
_SCRATCH: Final = memoryview(bytearray(_READ_OCTETS))


class Drain:
    """Closes one connection without losing octets that are on their way to its peer.

    Writing is shut down, so the peer sees the end after all octets sent before. Octets that the peer still sends
    are
    read and discarded until it closes: closing a socket with unread octets would send a reset, and a reset can
    discard octets that the peer has not read yet. If the peer acknowledges nothing for ``DRAIN_SECONDS``, the
    connection is closed.

    Args:
        connection: a non-blocking socket.
        read: False (for the side of the net) to end as soon as the peer has acknowledged everything.
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
        """Close the connection now."""
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
"""The drains in progress, in the order in which they began."""


async def drained(seconds: float) -> None:
    """Wait until all drains have ended, but at most ``seconds``; then close those left."""
    until = asyncio.get_running_loop().time() + seconds
    while _DRAINING and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - only a stop waits here
        await asyncio.sleep(0.05)
    for drain in list(_DRAINING):
        drain.close()


def close_oldest_drains(most: int) -> int:
    """Close up to ``most`` drains, the oldest first, to free their descriptors; return how many."""
    oldest = list(_DRAINING)[:most]
    for drain in oldest:
        drain.close()
    return len(oldest)


def unsent_octets(connection: socket.socket) -> int:
    """Return how many octets the peer's TCP has not acknowledged yet (SIOCOUTQ)."""
    answer = fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0")
    return int.from_bytes(answer, "little")


def shut_down_writing(connection: socket.socket) -> None:
    """Send the end of the stream, after all octets written before."""
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the peer has gone already

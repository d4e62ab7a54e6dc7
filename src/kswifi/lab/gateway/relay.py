"""Flows: octets between the phone and the net, none of them before it was granted and counted.

Everything runs on one event loop, in plain callbacks on non-blocking sockets: a chunk is taken from the allowance,
then written, and what a short write left over is given back. So what was written is what was counted, exactly.
"""

import asyncio
import fcntl
import socket
import termios
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from kswifi.lab.gateway.count import LARGEST_WRITE_OCTETS

SOCKET_BUFFER_OCTETS: Final = 1_048_576
HALF_CLOSED_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 30.0
"""How long a cut connection may stand still before it is closed."""
_TICK_SECONDS: Final = 0.25
_SCRATCH: Final = memoryview(bytearray(LARGEST_WRITE_OCTETS))
"""Every read of the one thread goes through it; what is not written at once is copied out."""


class Allowance(Protocol):
    """What flows draw on: a bearer's grant, or the slow lane to the KSWiFi origin."""

    def available(self) -> int:
        """Return how many octets may be taken now."""
        ...

    def take(self, octets: int, *, uplink: bool) -> None:
        """Count octets just before they are written."""
        ...

    def give_back(self, octets: int, *, uplink: bool) -> None:
        """Take back what a write left over."""
        ...

    def wait(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` once there may be something to take again."""
        ...


class _Mode(Enum):
    IDLE = auto()
    READ = auto()
    WRITE = auto()
    WAIT = auto()
    DONE = auto()


class _Pipe:
    """One direction of a flow. ``left`` limits what it reads from its source; None is no limit."""

    def __init__(
        self, flow: "Flow", source: socket.socket, sink: socket.socket, first: bytes, *, uplink: bool
    ) -> None:
        self._flow = flow
        self._source = source
        self._sink = sink
        self._pending = memoryview(first)
        self._uplink = uplink
        self._mode = _Mode.IDLE
        self.left: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has moved all it ever will."""
        return self._mode is _Mode.DONE

    def go_on(self) -> None:
        """Do what comes next: write what is pending, else read."""
        if self._mode is _Mode.DONE:
            return
        if self._pending:
            self._switch(_Mode.WRITE)
        elif self.left == 0:
            self.stop()
        else:
            self._switch(_Mode.READ)

    def stop(self) -> None:
        """Move nothing more; what was pending was not counted."""
        self._switch(_Mode.DONE)
        self._pending = memoryview(b"")

    def _switch(self, mode: _Mode) -> None:
        before, loop = self._mode, self._flow.loop
        if mode is before:
            return
        self._mode = mode
        if before is _Mode.READ:
            loop.remove_reader(self._source)
        elif before is _Mode.WRITE:
            loop.remove_writer(self._sink)
        if mode is _Mode.READ:
            loop.add_reader(self._source, self._on_readable)
        elif mode is _Mode.WRITE:
            loop.add_writer(self._sink, self._on_writable)
        elif mode is _Mode.WAIT:
            self._flow.allowance.wait(self._resume)

    def _resume(self) -> None:
        if self._mode is _Mode.WAIT:
            self.go_on()

    def _on_readable(self) -> None:
        octets = min(self._flow.allowance.available(), LARGEST_WRITE_OCTETS)
        if not octets:
            self._switch(_Mode.WAIT)
            return
        if self.left is not None:
            octets = min(octets, self.left)
        try:
            received = self._source.recv_into(_SCRATCH, octets)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._flow.close()
            return
        if not received:
            self._end_of_source()
            return
        if self.left is not None:
            self.left -= received
        sent = self._write(_SCRATCH[:received])
        if sent is not None and sent < received:
            self._pending = memoryview(bytes(_SCRATCH[sent:received]))
        if sent != received or self.left == 0:
            self.go_on()

    def _on_writable(self) -> None:
        octets = min(self._flow.allowance.available(), LARGEST_WRITE_OCTETS)
        if not octets:
            self._switch(_Mode.WAIT)
            return
        sent = self._write(self._pending[:octets])
        if sent is not None:
            self._pending = self._pending[sent:]
            self.go_on()

    def _write(self, octets: memoryview) -> int | None:
        """Count and write; return how many octets went, or None where the sink is gone."""
        allowance, length = self._flow.allowance, len(octets)
        allowance.take(length, uplink=self._uplink)
        try:
            sent = self._sink.send(octets)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            allowance.give_back(length, uplink=self._uplink)
            self.stop()
            self._flow.sink_lost(self)
            return None
        if sent < length:
            allowance.give_back(length - sent, uplink=self._uplink)
        return sent

    def _end_of_source(self) -> None:
        self.stop()
        shut_down_writing(self._sink)
        self._flow.source_ended(self)


class Flow:
    """One connection of the phone, joined to one of the net."""

    def __init__(
        self,
        client: socket.socket,
        upstream: socket.socket,
        allowance: Allowance,
        closed: Callable[["Flow"], None],
        first_upward: bytes = b"",
        rest_of_body: int | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.allowance = allowance
        self.upstream_address: tuple[str, int] = upstream.getsockname()[:2]
        self._client = client
        self._upstream = upstream
        self._closed = closed
        self._upward = _Pipe(self, client, upstream, first_upward, uplink=True)
        self._upward.left = rest_of_body
        self._downward = _Pipe(self, upstream, client, b"", uplink=False)
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def start(self) -> None:
        """Begin to relay."""
        self._upward.go_on()
        self._downward.go_on()

    def cut(self) -> None:
        """End it by the network's decision: what was counted is still delivered, nothing else moves."""
        if self._over:
            return
        self._over = True
        self._stop()
        Drain(self._upstream, read=False)
        Drain(self._client)
        self._closed(self)

    def close(self) -> None:
        """Close both ends; octets that the kernel took are still sent."""
        if self._over:
            return
        self._over = True
        self._stop()
        self._upstream.close()
        self._client.close()
        self._closed(self)

    def sink_lost(self, pipe: _Pipe) -> None:
        """React to a peer that takes no more: a server that answered early is still read."""
        if pipe is self._downward or self._downward.is_done:
            self.close()

    def source_ended(self, pipe: _Pipe) -> None:
        """React to an end of stream: the other direction goes on, but after the net's not for ever."""
        if self._upward.is_done and self._downward.is_done:
            self._end_gently()
        elif pipe is self._downward:
            self._timer = self.loop.call_later(HALF_CLOSED_SECONDS, self._end_gently)

    def _end_gently(self) -> None:
        if not self._over:
            self._over = True
            self._stop()
            self._upstream.close()
            Drain(self._client)
            self._closed(self)

    def _stop(self) -> None:
        self._upward.stop()
        self._downward.stop()
        if self._timer is not None:
            self._timer.cancel()


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
        _DRAINING.add(self)
        if read:
            self._loop.add_reader(connection, self._discard)
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def close(self) -> None:
        """Let go now."""
        self._timer.cancel()
        if self._read:
            self._loop.remove_reader(self._connection)
        self._connection.close()
        _DRAINING.discard(self)

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


_DRAINING: Final[set[Drain]] = set()


async def drained(seconds: float) -> None:
    """Wait until nothing drains any more, or for these seconds; then close what is left."""
    until = asyncio.get_running_loop().time() + seconds
    while _DRAINING and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - only a stop waits here
        await asyncio.sleep(0.05)
    for drain in list(_DRAINING):
        drain.close()


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


def prepare(connection: socket.socket) -> None:
    """Make a socket fit for relaying."""
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_OCTETS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_OCTETS)

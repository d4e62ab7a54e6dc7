"""Flows: relay octets between the phone and the net; each octet is granted and counted before it is written.

Everything runs on one event loop, in plain callbacks on non-blocking sockets. A chunk is taken from the allowance
and then written; the rest of a short write is given back. So the octets counted are exactly the octets written.

The octets of a tunnel pass unchanged. Those of a plain request and its answer pass through an ``Exchange``, which
parses and encodes them; the octets that it returns are counted and written.
"""

import asyncio
import socket
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from kswifi.lab.gateway.allowance import Allowance
from kswifi.lab.gateway.count import LARGEST_WRITE_OCTETS
from kswifi.lab.gateway.drain import Drain, shut_down_writing
from kswifi.lab.gateway.errors import ProxyRefusedError
from kswifi.lab.gateway.exchange import BrokenMessageError, Exchange, refusal

HALF_CLOSED_SECONDS: Final = 60.0
"""How long a tunnel may be idle after one side has ended."""
ENDED_CLIENT_SECONDS: Final = 5.0
"""How long a plain request may be idle after its client has ended its side. Most such clients have gone."""
_MOST_OCTETS_BEHIND: Final = 65_536
"""How many octets a client may send after its request, which are discarded, before its connection is closed."""
_SCRATCH: Final = memoryview(bytearray(LARGEST_WRITE_OCTETS))
"""The buffer of every read (there is one thread). Octets that are not written at once are copied out of it."""


class _Mode(Enum):
    IDLE = auto()
    READ = auto()
    WRITE = auto()
    WAIT = auto()
    WATCH = auto()
    DONE = auto()


class _Pipe:
    """One direction of a tunnel, whose octets pass unchanged.

    It is always in one mode: it reads its source, writes pending octets, or waits for a grant. It reads at most as
    many octets as the grant has left.
    """

    def __init__(
        self, flow: "Flow", source: socket.socket, sink: socket.socket, first: bytes, *, uplink: bool
    ) -> None:
        self._flow = flow
        self._source = source
        self._sink = sink
        self._pending = memoryview(first)
        self._uplink = uplink
        self._mode = _Mode.IDLE

    @property
    def is_done(self) -> bool:
        """Whether it will move no more octets."""
        return self._mode is _Mode.DONE

    @property
    def has_pending(self) -> bool:
        """Whether octets have been read and not yet written."""
        return len(self._pending) > 0

    def go_on(self) -> None:
        """Write pending octets if there are any, else read."""
        if self._mode is not _Mode.DONE:
            self._switch(_Mode.WRITE if self._pending else _Mode.READ)

    def stop(self) -> None:
        """Move no more octets. Pending octets have not been counted."""
        self._switch(_Mode.DONE)
        self._pending = memoryview(b"")

    def _switch(self, mode: _Mode) -> None:
        before, loop = self._mode, self._flow.loop
        if mode is before:
            return
        self._mode = mode
        if before in (_Mode.READ, _Mode.WATCH):
            loop.remove_reader(self._source)
        elif before is _Mode.WRITE:
            loop.remove_writer(self._sink)
        elif before is _Mode.WAIT:
            self._flow.allowance.stop_waiting(self._resume)
        if mode is _Mode.READ:
            loop.add_reader(self._source, self._on_readable)
        elif mode is _Mode.WATCH:
            loop.add_reader(self._source, self._on_watched)
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
        try:
            received = self._source.recv_into(_SCRATCH, octets)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._source_lost()
            return
        if not received:
            self._end_of_source()
            return
        self._flow.touch()
        self._relay(received)

    def _relay(self, received: int) -> None:
        """Forward the octets in the scratch buffer."""
        sent = self._write(_SCRATCH[:received])
        if sent is not None and sent < received:
            self._pending = memoryview(bytes(_SCRATCH[sent:received]))
            self.go_on()

    def _on_writable(self) -> None:
        octets = min(self._flow.allowance.available(), LARGEST_WRITE_OCTETS)
        if not octets:
            self._switch(_Mode.WAIT)
            return
        sent = self._write(self._pending[:octets])
        if sent:
            self._flow.touch()
            self._pending = self._pending[sent:]
            self.go_on()

    def _write(self, octets: memoryview) -> int | None:
        """Count and write octets; return how many were written, or None if the sink has closed."""
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
        self._flow.source_ended()

    def _source_lost(self) -> None:
        self._flow.close()

    def _on_watched(self) -> None:
        raise NotImplementedError("a tunnel reads for as long as its source lasts")


class _FramedPipe(_Pipe):
    """One direction of a plain request: octets are parsed and encoded again for the sink.

    After the whole request it watches the client, to notice that it goes away while the origin is silent.
    """

    def __init__(
        self,
        flow: "Flow",
        source: socket.socket,
        sink: socket.socket,
        first: bytes,
        exchange: Exchange,
        *,
        uplink: bool,
    ) -> None:
        super().__init__(flow, source, sink, first, uplink=uplink)
        self._exchange = exchange
        self._way = exchange.request if uplink else exchange.answer
        self._behind = 0

    def go_on(self) -> None:
        """Write or read; after the whole request watch the client, after the whole answer end the flow."""
        if self._mode is _Mode.DONE:
            return
        if self._pending or self._way.has_more:
            self._switch(_Mode.WRITE)
        elif not self._way.is_over:
            self._switch(_Mode.READ)
        elif self._uplink:
            self._switch(_Mode.WATCH)
        else:
            self._flow.end_gently()

    def _relay(self, received: int) -> None:
        self._take(bytes(_SCRATCH[:received]))

    def _on_writable(self) -> None:
        if self._pending:
            super()._on_writable()
        else:
            self._take(None)

    def _take(self, octets: bytes | None) -> None:
        try:
            taken = self._exchange.take_request(octets) if self._uplink else self._exchange.take_answer(octets)
        except BrokenMessageError as error:
            self._flow.broke(error)
            return
        self._pending = memoryview(taken)
        now = min(self._flow.allowance.available(), LARGEST_WRITE_OCTETS, len(taken))
        if now:
            sent = self._write(self._pending[:now])
            if sent is None:
                return
            self._pending = self._pending[sent:]
        self.go_on()

    def _end_of_source(self) -> None:
        self._take(b"")

    def _source_lost(self) -> None:
        if self._uplink:
            self._flow.close()
            return
        try:
            self._exchange.break_answer("the origin broke the connection")
        except BrokenMessageError as error:
            self._flow.broke(error)
        else:
            self._flow.end_gently()

    def _on_watched(self) -> None:
        """Notice that the client closes; discard octets that it sends after its request."""
        try:
            received = self._source.recv_into(_SCRATCH)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._flow.close()
            return
        self._behind += received
        if not received:
            self.stop()
            self._flow.source_ended()
        elif self._behind > _MOST_OCTETS_BEHIND:
            self._flow.close()


class Flow:
    """A connection of the phone, joined to a connection to its destination.

    Args:
        client: the phone's socket.
        upstream: the destination's socket.
        allowance: the grant from which its octets are taken.
        closed: called once, when the flow has ended.
        first_upward: the first octets for the destination: of a tunnel, those that arrived with the client's head;
            of a plain request, its encoded head.
        exchange: the plain request; None for a tunnel.
        idle_seconds: how long it may be idle in both directions.
    """

    def __init__(
        self,
        client: socket.socket,
        upstream: socket.socket,
        allowance: Allowance,
        closed: Callable[["Flow"], None],
        first_upward: bytes = b"",
        exchange: Exchange | None = None,
        *,
        idle_seconds: float,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.allowance = allowance
        self.upstream_address: tuple[str, int] = upstream.getsockname()[:2]
        self._client = client
        self._upstream = upstream
        self._closed = closed
        self._exchange = exchange
        if exchange is None:
            self._upward = _Pipe(self, client, upstream, first_upward, uplink=True)
            self._downward = _Pipe(self, upstream, client, b"", uplink=False)
        else:
            self._upward = _FramedPipe(self, client, upstream, first_upward, exchange, uplink=True)
            self._downward = _FramedPipe(self, upstream, client, b"", exchange, uplink=False)
        self._idle_seconds = idle_seconds
        self._touched_at = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def start(self) -> None:
        """Start to relay."""
        self._check_idle()
        self._upward.go_on()
        self._downward.go_on()

    def touch(self) -> None:
        """Record that octets have moved."""
        self._touched_at = self.loop.time()

    @property
    def idle_since(self) -> float:
        """When octets last moved, in seconds of the event loop's clock."""
        return self._touched_at

    def cut(self) -> None:
        """End the flow by decision of the network. Counted octets are still delivered; no others move."""
        if self._over:
            return
        self._over = True
        self._stop()
        Drain(self._upstream, read=False)
        Drain(self._client)
        self._closed(self)

    def close(self) -> None:
        """Close both connections; octets in the buffers of the operating system are still sent."""
        if self._over:
            return
        self._over = True
        self._stop()
        self._upstream.close()
        self._client.close()
        self._closed(self)

    def end_gently(self) -> None:
        """Close the destination's connection; the client still receives the octets written to it."""
        if not self._over:
            self._over = True
            self._stop()
            self._upstream.close()
            Drain(self._client)
            self._closed(self)

    def sink_lost(self, pipe: _Pipe) -> None:
        """React to a peer that has closed: a server that answered before the end of the request is still read."""
        if pipe is self._downward or self._downward.is_done:
            self.close()

    def source_ended(self) -> None:
        """React to the end of one direction: the other goes on, with a shorter idle limit."""
        if self._upward.is_done and self._downward.is_done:
            self.end_gently()
            return
        still = HALF_CLOSED_SECONDS if self._exchange is None else ENDED_CLIENT_SECONDS
        self._idle_seconds = min(self._idle_seconds, still)
        self._check_idle()

    def broke(self, error: BrokenMessageError) -> None:
        """React to a message that cannot be forwarded: answer with an error if no answer has begun, and end."""
        self._refuse(ProxyRefusedError(error.status, f"{error}\n"))

    def _refuse(self, refused: ProxyRefusedError) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.may_refuse and not self._downward.has_pending:
            try:
                self._client.send(refusal(refused, to_head=exchange.is_head))  # short enough for the buffer
            except OSError:
                self.close()
                return
        self.end_gently()

    def _check_idle(self) -> None:
        if self._over:
            return
        if self._timer is not None:
            self._timer.cancel()
        rest = self._touched_at + self._idle_seconds - self.loop.time()
        if rest > 0:
            self._timer = self.loop.call_later(rest, self._check_idle)
        elif self._exchange is not None and not self._exchange.request.is_over:
            self._refuse(ProxyRefusedError(408, "the request did not come to its end\n"))
        else:
            self._refuse(ProxyRefusedError(504, "the destination does not answer\n"))

    def _stop(self) -> None:
        self._upward.stop()
        self._downward.stop()
        if self._timer is not None:
            self._timer.cancel()

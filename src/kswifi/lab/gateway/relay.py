"""Flows: octets between the phone and the net, none of them before it was granted and counted.

Everything runs on one event loop, in plain callbacks on non-blocking sockets: a chunk is taken from the allowance,
then written, and what a short write left over is given back. So what was written is what was counted, exactly.

The octets of a tunnel pass as they are. Those of a plain request and of its answer pass through an ``Exchange``,
which parses and frames them; what it returns is what is counted and written.
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
"""How long a tunnel may stand still of which one side has ended."""
ENDED_CLIENT_SECONDS: Final = 5.0
"""How long a plain request may stand still whose client has ended its side: it may wait, but most have gone."""
_MOST_OCTETS_BEHIND: Final = 65_536
"""What a client may send behind its request, which is dropped, before its connection is closed."""
_SCRATCH: Final = memoryview(bytearray(LARGEST_WRITE_OCTETS))
"""Every read of the one thread goes through it; what is not written at once is copied out."""


class _Mode(Enum):
    IDLE = auto()
    READ = auto()
    WRITE = auto()
    WAIT = auto()
    WATCH = auto()
    DONE = auto()


class _Pipe:
    """One direction of a flow: here of a tunnel, whose octets pass as they are."""

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
        """Whether it has moved all it ever will."""
        return self._mode is _Mode.DONE

    @property
    def has_pending(self) -> bool:
        """Whether octets were read that are not written yet."""
        return len(self._pending) > 0

    def go_on(self) -> None:
        """Do what comes next: write what is pending, else read."""
        if self._mode is not _Mode.DONE:
            self._switch(_Mode.WRITE if self._pending else _Mode.READ)

    def stop(self) -> None:
        """Move nothing more; what was pending was not counted."""
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
        """Pass on what was read into the scratch buffer."""
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
        self._flow.source_ended()

    def _source_lost(self) -> None:
        self._flow.close()

    def _on_watched(self) -> None:
        raise NotImplementedError("a tunnel reads for as long as its source lasts")


class _FramedPipe(_Pipe):
    """One direction of a plain request: what is read is parsed, and framed anew for the sink."""

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
        """Do what comes next; behind the whole request watch the client, behind the whole answer end."""
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
        """Notice that the client goes away; drop what it says behind its request."""
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
    """One connection of the phone, joined to one of the net.

    Args:
        client: the phone's socket.
        upstream: the net's.
        allowance: what its octets are taken from.
        closed: called once, when the flow has ended and its place is free.
        first_upward: octets of a tunnel that came with the client's head.
        exchange: the plain request; None for a tunnel.
        idle_seconds: how long nothing may move in either direction.
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
        """Begin to relay."""
        self._check_idle()
        self._upward.go_on()
        self._downward.go_on()

    def touch(self) -> None:
        """Take note that octets move."""
        self._touched_at = self.loop.time()

    @property
    def idle_since(self) -> float:
        """When octets moved last, in the loop's time."""
        return self._touched_at

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

    def end_gently(self) -> None:
        """Close the net's end; the client still gets what is under way to it."""
        if not self._over:
            self._over = True
            self._stop()
            self._upstream.close()
            Drain(self._client)
            self._closed(self)

    def sink_lost(self, pipe: _Pipe) -> None:
        """React to a peer that takes no more: a server that answered early is still read."""
        if pipe is self._downward or self._downward.is_done:
            self.close()

    def source_ended(self) -> None:
        """React to an end of stream: the other direction goes on for as long as it moves."""
        if self._upward.is_done and self._downward.is_done:
            self.end_gently()
            return
        still = HALF_CLOSED_SECONDS if self._exchange is None else ENDED_CLIENT_SECONDS
        self._idle_seconds = min(self._idle_seconds, still)
        self._check_idle()

    def broke(self, error: BrokenMessageError) -> None:
        """React to a message that cannot be passed on: say so where the answer has not begun, and end."""
        self._refuse(ProxyRefusedError(error.status, f"{error}\n"))

    def _refuse(self, refused: ProxyRefusedError) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.may_refuse and not self._downward.has_pending:
            try:
                self._client.send(refusal(refused, to_head=exchange.is_head))  # so few octets always fit
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

"""The phone's traffic: many flows at the same time through the access gateway, counted and hashed by the phone.

Some flows first POST a bounded part of a seeded stream, and have their answer long before the allowance ends. Then
every flow GETs a stream. So at a cut the phone has no sent octets that the gateway has not relayed, and the octets
counted on the phone's sockets are those that the network metered.
"""

import json
import selectors
import socket
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from kswifi.lab.phone.network import (
    NoNetworkError,
    ProxyAnswerError,
    ProxyCredentials,
    check_tunnel_answer,
    tunnel_request,
)
from kswifi.lab.phone.traffic_plan import Received, TrafficError, TrafficPlan, TrafficResult
from kswifi.lab.settings import HostPort
from kswifi.lab.stream import CHUNK_OCTETS, SeededStream, stream_sha256

ENDLESS_OCTETS: Final = 1 << 44
_SOCKET_BUFFER_OCTETS: Final = 1_048_576
_LARGEST_HEAD_OCTETS: Final = 16_384
_SILENT_SECONDS: Final = 30.0
_PROGRESS_SECONDS: Final = 0.1
_RESCUE_SECONDS: Final = 5.0
_FORBIDDEN: Final = 403


class _Flow:
    """One connection. It passes through these steps: tunnel, request, head of the answer, body."""

    def __init__(
        self, run: "_Run", seed: str, *, post_octets: int, get_octets: int, may_fail_to_start: bool
    ) -> None:
        self.run = run
        self.seed = seed
        self.is_post = post_octets > 0
        self.may_fail_to_start = may_fail_to_start
        self._tunnelled = False
        self._head: bytes | None = b""
        self._body = bytearray()
        self._hash = sha256()
        self._expected = 0
        self.received_body = 0
        self.unconfirmed = 0
        host, port = run.content
        if self.is_post:
            line, length = "POST /sink HTTP/1.1", f"Content-Length: {post_octets}\r\n"
        else:
            line, length = f"GET /stream?seed={seed}&octets={get_octets} HTTP/1.1", ""
        request = f"{line}\r\nHost: {host}:{port}\r\n{length}Connection: close\r\n\r\n"
        self._request = request.encode()
        self._out = memoryview(tunnel_request(host, port, run.credentials))
        self._stream = SeededStream(seed) if self.is_post else None
        self._post_octets = self._unsent_body = post_octets
        family = socket.AF_INET6 if ":" in run.credentials.address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_OCTETS)
        self.socket.connect_ex(run.credentials.address)

    def on_writable(self) -> None:
        """Write the request and, for a POST, its body; then wait for the answer."""
        if self._out:
            sent = self.socket.send(self._out)
            self._out = self._out[sent:]
            if self._tunnelled:
                self.run.delivered += sent
                self.unconfirmed += sent
        if not self._out and self._tunnelled and self._unsent_body and self._stream is not None:
            self._out = self._stream.next_chunk()[: self._unsent_body]
            self._unsent_body -= len(self._out)
            self.run.body += len(self._out)
        if not self._out:
            self.run.selector.modify(self.socket, selectors.EVENT_READ, self)

    def on_readable(self, buffer: memoryview) -> None:
        """Read the proxy's answer, then the head of the server's answer, then its body."""
        if not self._tunnelled:
            self._read_tunnel_answer()
            return
        received = self.socket.recv_into(buffer)
        if not received:
            self._end()
            return
        self.run.delivered += received
        self.unconfirmed = 0  # a server that answers has received the request, and of a POST the whole body
        octets = buffer[:received]
        if self._head is not None:
            octets = self._take_head(octets)
        self._take_body(octets)

    def count_rest(self, buffer: memoryview) -> int:
        """Count octets that still arrive after a failure; return how many, 0 at the end."""
        received = self.socket.recv_into(buffer)
        if not self._tunnelled:
            return 0
        if received:
            self.run.delivered += received
            self.unconfirmed = 0
        return received

    def _read_tunnel_answer(self) -> None:
        # The server sends nothing before the request, so no metered octets can follow this head.
        octets = self.socket.recv(_LARGEST_HEAD_OCTETS)
        self._body += octets
        if not octets or len(self._body) > _LARGEST_HEAD_OCTETS:
            raise TrafficError("the access gateway ended the connection before it was joined")
        if b"\r\n\r\n" not in self._body:
            return
        try:
            check_tunnel_answer(bytes(self._body))
        except ProxyAnswerError as refused:
            if refused.facts["status"] != _FORBIDDEN or not self.may_fail_to_start:
                raise
            self.run.ended(self, was_cut=True)  # the network cut the line while this flow was being opened
            return
        self._body.clear()
        self.run.joined(self)

    def send_request(self) -> None:
        """Send the request through the tunnel. From here on every octet is metered."""
        self._tunnelled = True
        self._out = memoryview(self._request)
        self.run.selector.modify(self.socket, selectors.EVENT_WRITE, self)

    def _take_head(self, octets: memoryview) -> memoryview:
        self._head = head = (self._head or b"") + bytes(octets[:_LARGEST_HEAD_OCTETS])
        end = head.find(b"\r\n\r\n")
        if end < 0:
            return octets[:0]
        status, *fields = head[:end].decode("latin-1").split("\r\n")
        if status.split(" ")[1] != "200":
            raise TrafficError(f"the content server answered {status!r}")
        lengths = [line for line in fields if line.lower().startswith("content-length:")]
        self._expected = int(lengths[0].partition(":")[2])
        earlier = len(head) - len(octets[:_LARGEST_HEAD_OCTETS])
        self._head = None
        return octets[end + 4 - earlier :]

    def _take_body(self, octets: memoryview) -> None:
        self.received_body += len(octets)
        self.run.body += len(octets)
        if self.is_post:
            self._body += octets
        else:
            self._hash.update(octets)
        if self._head is None and self.received_body >= self._expected:
            self._end()

    def _end(self) -> None:
        """Finish: the answer is complete, or the network has cut it."""
        is_whole = self._head is None and self.received_body >= self._expected
        if self.is_post:
            if not is_whole:
                raise TrafficError("the network cut an upload that should have ended long before")
            self._check_sink(json.loads(self._body))
        else:
            self.run.received.append(Received(self.seed, self.received_body, self._hash.hexdigest()))
        self.run.ended(self, was_cut=not is_whole)

    def _check_sink(self, answer: dict[str, Any]) -> None:
        octets = int(answer["octets"])
        if octets != self._post_octets:
            raise TrafficError("another number of octets arrived than was posted", octets=octets)
        if answer["sha256"] != stream_sha256(self.seed, octets):
            raise TrafficError("the upload did not arrive as it was sent", octets=octets)


class _Run:
    """All flows of one run, on one selector."""

    def __init__(self, credentials: ProxyCredentials, content: HostPort, plan: TrafficPlan) -> None:
        self.credentials = credentials
        self.content = content
        self.selector = selectors.DefaultSelector()
        self.delivered = 0
        self.body = 0
        self.received: list[Received] = []
        self.was_cut = False
        self.unconfirmed = 0
        self._plan = plan
        self._open: set[_Flow] = set()
        self._joined: list[_Flow] | None = []
        self._held: list[_Flow] = []
        self._started = 0
        for number in range(plan.flows):
            self._start(is_post=number < plan.post_flows)

    def joined(self, flow: _Flow) -> None:
        """Start the first flows together, when the last of them has its tunnel; start later flows at once."""
        if self._joined is None:
            flow.send_request()
            return
        self._joined.append(flow)
        if len(self._joined) == self._plan.flows:
            first, self._joined = self._joined, None
            self._held = [flow for flow in first if self._plan.posts_first and not flow.is_post]
            for ready in first:
                if ready not in self._held:
                    ready.send_request()

    def _start(self, *, is_post: bool) -> None:
        plan = self._plan
        get_octets = ENDLESS_OCTETS if plan.get_octets is None else plan.get_octets
        flow = _Flow(
            self,
            f"{plan.seed}-{self._started}",
            post_octets=plan.post_octets if is_post else 0,
            get_octets=get_octets,
            may_fail_to_start=self._joined is None,
        )
        self._started += 1
        self._open.add(flow)
        self.selector.register(flow.socket, selectors.EVENT_WRITE, flow)

    def ended(self, flow: _Flow, *, was_cut: bool) -> None:
        """Remove a flow that has ended. After a POST start a GET, or the GETs that were held back."""
        self.was_cut |= was_cut
        self.unconfirmed += flow.unconfirmed
        self.selector.unregister(flow.socket)
        flow.socket.close()
        self._open.discard(flow)
        if not flow.is_post:
            return
        if not self._plan.posts_first:
            self._start(is_post=False)
        elif not any(other.is_post for other in self._open):
            held, self._held = self._held, []
            for ready in held:
                ready.send_request()

    def go(self, progress: Callable[[int], None] | None) -> None:
        """Move octets until every flow has ended."""
        buffer = memoryview(bytearray(CHUNK_OCTETS))
        shown = 0.0
        while self._open:
            ready = self.selector.select(_SILENT_SECONDS)
            if not ready:
                raise TrafficError(f"no octet came for {_SILENT_SECONDS:.0f} seconds")
            for key, events in ready:
                try:
                    self._serve(key.data, events, buffer)
                except OSError as error:
                    raise TrafficError(f"a flow broke: {error}") from error
            now = time.monotonic()
            if progress is not None and now - shown > _PROGRESS_SECONDS:
                shown = now
                progress(self.delivered)

    def rescue(self) -> None:
        """After a failure: send nothing more, but count the octets that still arrive."""
        buffer = memoryview(bytearray(CHUNK_OCTETS))
        until = time.monotonic() + _RESCUE_SECONDS
        for each in self._open:
            self.selector.modify(each.socket, selectors.EVENT_READ, each)
        while self._open and (left := until - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                flow: _Flow = key.data
                try:
                    received = flow.count_rest(buffer)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    received = 0
                if not received:
                    self.selector.unregister(flow.socket)
                    flow.socket.close()
                    self.unconfirmed += flow.unconfirmed
                    self._open.discard(flow)
        self.unconfirmed += sum(flow.unconfirmed for flow in self._open)

    @staticmethod
    def _serve(flow: _Flow, events: int, buffer: memoryview) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                flow.on_writable()
            else:
                flow.on_readable(buffer)
        except (BlockingIOError, InterruptedError):
            return

    def close(self) -> None:
        """Close all sockets."""
        for flow in self._open:
            flow.socket.close()
        self.selector.close()


def run_traffic(
    credentials: ProxyCredentials | None,
    content: HostPort,
    plan: TrafficPlan,
    progress: Callable[[int], None] | None = None,
) -> TrafficResult:
    """Move the octets of a plan through the line, and return the counts.

    Args:
        credentials: of the line; None if it is not attached.
        content: the address of the content server.
        plan: which octets to move.
        progress: called now and then with the octets moved so far.

    Raises:
        NoNetworkError: the line is not attached.
        ProxyAnswerError: the gateway refused a flow.
        TrafficError: a flow failed in another way; the facts hold the counts until then.
    """
    if credentials is None:
        raise NoNetworkError("the line is not attached")
    began = time.monotonic()
    run = _Run(credentials, content, plan)
    try:
        run.go(progress)
    except (TrafficError, ProxyAnswerError) as broken:
        run.rescue()
        broken.facts |= {"delivered_octets": run.delivered, "unconfirmed_octets": run.unconfirmed}
        raise
    finally:
        run.close()
    seconds = time.monotonic() - began
    if progress is not None:
        progress(run.delivered)
    return TrafficResult(run.delivered, run.body, seconds, run.was_cut, tuple(run.received), run.unconfirmed)

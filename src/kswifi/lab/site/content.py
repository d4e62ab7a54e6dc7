"""The content server: content for the lab phone that needs no internet, sent as fast as sockets allow.

``GET /stream?seed=S&octets=N`` sends the first N octets of the seed's stream (``lab/stream.py``). ``POST /sink``
answers length and SHA-256 of the received body. ``GET /`` is a small page. It has one thread and non-blocking
sockets, and runs in a separate process (``python -m kswifi.lab.site.content``), which ends when its standard input
is closed.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

import h11

from kswifi.kernel.listening import loopback_socket
from kswifi.lab.settings import HostPort
from kswifi.lab.sockets import is_out_of_resources, prepare
from kswifi.lab.stream import CHUNK_OCTETS, SeededStream

MOST_STREAM_OCTETS: Final = 1 << 50
_LARGEST_HEAD_OCTETS: Final = 16_384
_MOST_DIGITS: Final = 18
_LONGEST_SEED: Final = 200
_MOST_CONNECTIONS: Final = 1024
_IDLE_SECONDS: Final = 120.0
"""How long a client may neither send nor receive while a request is being served."""
_HEAD_SECONDS: Final = 15.0
"""How long the head of a request may take, and how long a connection waits for the next request."""
_SWEEP_SECONDS: Final = 1.0
_BACK_OFF_SECONDS: Final = 0.5
_PAGE: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>The net beyond KSWiFi</title>
<h1>The net beyond KSWiFi</h1><p>This page came over the access gateway, and every octet of it was metered.</p>
<p><a href="/stream?seed=page&amp;octets=1000000">A million octets</a></p></html>
"""

Callback: TypeAlias = Callable[[], None]


class _BadRequestError(Exception):
    """A request that is refused with a status and a text."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class _Connection:
    """One connection of a client: read a head, send or receive a body, then read the next request."""

    def __init__(self, server: "ContentServer", client: socket.socket) -> None:
        self._server = server
        self.client = client
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD_OCTETS)
        self._out = memoryview(b"")
        self._stream: SeededStream | None = None
        self._left = 0
        self._close_after = False
        self._sink: Any = None
        self._taken = 0
        self._moved_at = self._began_at = time.monotonic()

    def is_late(self, now: float) -> bool:
        """Tell whether the client has exceeded its time limit at ``now`` (monotonic seconds)."""
        if self._http.their_state is h11.IDLE and not (self._out or self._left):
            return now - self._began_at > self._server.head_seconds
        return now - self._moved_at > self._server.idle_seconds

    def on_readable(self) -> None:
        received = self.client.recv_into(self._server.buffer)
        self._moved_at = time.monotonic()
        self._advance(bytes(self._server.buffer[:received]))

    def _advance(self, octets: bytes | None) -> None:
        """Parse received octets, or with None go on with octets received before; refuse a malformed request."""
        try:
            if octets is not None:
                self._http.receive_data(octets)
            self._take_events()
        except h11.RemoteProtocolError as error:
            self._answer(error.error_status_hint, b"%s\n" % str(error).encode(), close=True)
        except _BadRequestError as error:
            self._answer(error.status, f"{error}\n".encode(), close=True)

    def on_writable(self) -> None:
        if not self._out and self._left and self._stream is not None:
            self._out = self._stream.next_chunk()[: self._left]
            self._left -= len(self._out)
        if self._out:
            sent = self.client.send(self._out)
            self._moved_at = time.monotonic()
            # The buffer belongs to the stream, which overwrites it only after all of it has been sent.
            self._out = self._out[sent:]
        if self._out or self._left:
            return
        if self._close_after:
            self._server.forget(self.client)
            return
        self._http.start_next_cycle()
        self._began_at = time.monotonic()
        self._server.watch(self.client, selectors.EVENT_READ, self)
        self._advance(None)

    def _take_events(self) -> None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data) and self._sink is not None:
                self._sink.update(event.data)
                self._taken += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._finish()
                return
            elif isinstance(event, h11.ConnectionClosed):
                self._server.forget(self.client)
                return
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return

    def _begin(self, request: h11.Request) -> None:
        try:
            target = urlsplit(request.target.decode("ascii", "replace"))
        except ValueError:
            raise _BadRequestError(400, "the target is not an address") from None
        self._sink, self._taken, self._stream, self._left = None, 0, None, 0
        fields = dict(request.headers)
        if request.method == b"POST" and target.path == "/sink":
            self._sink = sha256()
            if fields.get(b"expect", b"").lower() == b"100-continue":
                self._out = memoryview(
                    bytes(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                )
                self.client.send(self._out)
                self._out = memoryview(b"")
        elif request.method not in (b"GET", b"HEAD"):
            raise _BadRequestError(405, "GET /, GET /stream?seed=S&octets=N or POST /sink")
        self._request = (request.method, target, fields)

    def _finish(self) -> None:
        method, target, fields = self._request
        if self._sink is not None:
            body = json.dumps({"octets": self._taken, "sha256": self._sink.hexdigest()}).encode() + b"\n"
            self._answer(200, body, "application/json")
        elif target.path in ("/", "/speed"):
            self._answer(200, _PAGE, "text/html; charset=utf-8", head_only=method == b"HEAD")
        elif target.path == "/stream":
            self._start_stream(method, parse_qs(target.query), fields.get(b"range"))
        else:
            raise _BadRequestError(404, "there is nothing here")

    def _start_stream(self, method: bytes, query: dict[str, list[str]], range_field: bytes | None) -> None:
        seed, text = query.get("seed", ["0"])[0], query.get("octets", [""])[0]
        total = _number(text)
        if total is None or total > MOST_STREAM_OCTETS or len(seed) > _LONGEST_SEED:
            raise _BadRequestError(400, "a stream needs octets=N and a short seed")
        first, last = _range(range_field, total)
        headers = [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes")]
        headers.append(("Content-Length", str(last - first + 1)))
        partial = range_field is not None
        if partial:
            headers.append(("Content-Range", f"bytes {first}-{last}/{total}"))
        head = self._http.send(h11.Response(status_code=206 if partial else 200, headers=headers)) or b""
        if method != b"HEAD":
            self._stream, self._left = SeededStream(seed, first), last - first + 1
        # The octets bypass h11 to save time, so h11 does not know when they end; the connection closes after them.
        self._close_after = True
        self._out = memoryview(bytes(head))
        self._server.watch(self.client, selectors.EVENT_WRITE, self)

    def _answer(
        self,
        status: int,
        body: bytes,
        kind: str = "text/plain; charset=utf-8",
        *,
        head_only: bool = False,
        close: bool = False,
    ) -> None:
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        if close:
            headers.append(("Connection", "close"))
        octets = bytes(self._http.send(h11.Response(status_code=status, headers=headers)) or b"")
        if not head_only:
            octets += self._http.send(h11.Data(data=body)) or b""
        self._http.send(h11.EndOfMessage())
        self._close_after = close or self._http.our_state is h11.MUST_CLOSE
        self._out = memoryview(octets)
        self._server.watch(self.client, selectors.EVENT_WRITE, self)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _range(field: bytes | None, total: int) -> tuple[int, int]:
    """Return the first and the last octet of a single range (RFC 9110, 14.1.2)."""
    if field is None:
        return 0, total - 1
    first, dash, last = field.decode("ascii", "replace").removeprefix("bytes=").partition("-")
    begin, end = _number(first), _number(last) if last else total - 1
    if not dash or begin is None or end is None:
        raise _BadRequestError(416, "a range is bytes=FIRST- or bytes=FIRST-LAST")
    end = min(end, total - 1)
    if begin > end:
        raise _BadRequestError(416, f"the stream has {total} octets")
    return begin, end


class ContentServer:
    """Listens on a loopback address and serves until a file becomes readable.

    Args:
        host: the loopback address.
        port: the port; 0 takes a free one.
        head_seconds: the time limit of a request's head.
        idle_seconds: the time limit without progress while a request is being served.
    """

    def __init__(
        self, host: str, port: int, *, head_seconds: float = _HEAD_SECONDS, idle_seconds: float = _IDLE_SECONDS
    ) -> None:
        self.head_seconds = head_seconds
        self.idle_seconds = idle_seconds
        self.buffer = memoryview(bytearray(CHUNK_OCTETS))
        self._listener = loopback_socket(host, port)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._connections = 0
        self._accepts_from = 0.0
        self._sweeps_at = 0.0
        self.address: HostPort = self._listener.getsockname()[:2]

    def run(self, until: Any) -> None:
        """Serve until the file ``until`` becomes readable, which means that its other end was closed."""
        self._selector.register(until, selectors.EVENT_READ, until)
        while True:
            for key, events in self._selector.select(_SWEEP_SECONDS):
                if key.data is until:
                    return
                if key.data is None:
                    self._accept()
                else:
                    self._serve(key.fileobj, key.data, events)
            now = time.monotonic()
            if now >= self._sweeps_at:
                self._sweep(now)

    def close(self) -> None:
        """Close every socket."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._listener.close()
        self._selector.close()

    def watch(self, client: socket.socket, events: int, connection: _Connection) -> None:
        """Change which events of a connection to wait for."""
        self._selector.modify(client, events, connection)

    def forget(self, client: socket.socket) -> None:
        """Close a connection."""
        self._selector.unregister(client)
        client.close()
        self._connections -= 1

    def _sweep(self, now: float) -> None:
        """Close connections that have exceeded their time limit, and resume accepting after a pause."""
        self._sweeps_at = now + _SWEEP_SECONDS
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, _Connection) and key.data.is_late(now):
                self.forget(key.data.client)
        if self._accepts_from and now >= self._accepts_from:
            self._accepts_from = 0.0
            self._selector.register(self._listener, selectors.EVENT_READ, None)

    def _accept(self) -> None:
        try:
            client, _address = self._listener.accept()
        except OSError as error:
            if is_out_of_resources(error):
                # The listener stays readable, so an immediate retry would spin.
                self._selector.unregister(self._listener)
                self._accepts_from = time.monotonic() + _BACK_OFF_SECONDS
            return
        if self._connections >= _MOST_CONNECTIONS:
            client.close()
            return
        self._connections += 1
        prepare(client)
        self._selector.register(client, selectors.EVENT_READ, _Connection(self, client))

    def _serve(self, client: Any, connection: _Connection, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                connection.on_writable()
            else:
                connection.on_readable()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.forget(client)


def main() -> None:
    """Serve on host and port of the arguments; print the address as one line of JSON when ready."""
    server = ContentServer(sys.argv[1], int(sys.argv[2]))
    sys.stdout.write(json.dumps(server.address) + "\n")
    sys.stdout.flush()
    try:
        server.run(sys.stdin.buffer)
    finally:
        server.close()


if __name__ == "__main__":
    main()

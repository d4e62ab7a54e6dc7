"""A small origin that keeps its connections open: it records every octet and request, and answers by a script."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import h11


@dataclass
class Seen:
    """One request as it arrived."""

    request: h11.Request
    body: bytes
    trailers: list[tuple[bytes, bytes]]


@dataclass
class Origin:
    """``answer`` gives the octets that answer a request; None leaves it unanswered."""

    answer: Callable[[Seen], bytes | None]
    host: str = "127.0.0.1"
    port: int = 0
    octets: list[bytearray] = field(default_factory=list)
    """What arrived, one item a connection."""
    requests: list[Seen] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    open_connections: int = 0
    closes: bool = False
    """Whether it closes after each answer."""

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def received_octets(self) -> int:
        return sum(map(len, self.octets))

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection until its other end closes it."""
        record = bytearray()
        self.octets.append(record)
        self.open_connections += 1
        try:
            self._read_requests(connection, record)
        except h11.RemoteProtocolError as error:
            self.malformed.append(str(error))
        except OSError:
            return
        finally:
            self.open_connections -= 1
            connection.close()

    def _read_requests(self, connection: socket.socket, record: bytearray) -> None:
        http = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        body = b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                octets = connection.recv(65536)
                if not octets and http.their_state is h11.IDLE:
                    return
                record += octets
                http.receive_data(octets)
            elif isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                self.requests.append(Seen(request, body, list(event.headers)))
                answer = self.answer(self.requests[-1])
                if answer is not None:
                    connection.sendall(answer)
                if self.closes:
                    return
                # "Connection: close" was asked for, but a second request on the connection would be heard.
                behind = http.trailing_data[0]
                http = h11.Connection(h11.SERVER)
                if behind:
                    http.receive_data(behind)


@contextmanager
def origin(
    answer: Callable[[Seen], bytes | None], host: str = "127.0.0.1", *, closes: bool = False
) -> Iterator[Origin]:
    """Run an origin on a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    made = Origin(answer, host, listener.getsockname()[1], closes=closes)
    accepted: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            accepted.append(connection)
            threads.append(threading.Thread(target=made.serve, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield made
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for connection in accepted:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()

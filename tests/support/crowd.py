"""Many connections at once, and a client that is timed at the same time."""

import asyncio
import errno
import multiprocessing
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

_BIND_ADDRESS_NO_PORT = 24
"""Linux, ip(7): the port is chosen when the socket connects, which is much faster."""


@contextmanager
def many_descriptors() -> Iterator[None]:
    """Let the test's own process open as many sockets as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Clients that connect from many loopback addresses, say ``words`` and then nothing."""

    def __init__(self, ports: tuple[int, ...], words: bytes = b"") -> None:
        self._ports = ports
        self._words = words
        self._sockets: list[socket.socket] = []
        self.refused = 0

    async def grow(self, each: int, addresses: int = 1, at_once: int = 50) -> None:
        """Open so many connections to each port."""
        loop = asyncio.get_running_loop()

        async def one(number: int, port: int) -> None:
            client = socket.socket()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            client.bind((f"127.0.1.{1 + number % addresses}", 0))
            try:
                await asyncio.wait_for(loop.sock_connect(client, ("127.0.0.1", port)), 10)
                await loop.sock_sendall(client, self._words)
            except OSError:
                self.refused += 1
                client.close()
            else:
                self._sockets.append(client)

        for first in range(0, each, at_once):
            if first % (10 * at_once) == 0:
                self.drop_closed()
            numbers = range(first, min(first + at_once, each))
            await asyncio.gather(*(one(number, port) for number in numbers for port in self._ports))

    def drop_closed(self) -> None:
        """Give up the connections that the server has closed: the test's process may not open more files either."""
        still_open = []
        for client in self._sockets:
            if _is_open(client):
                still_open.append(client)
            else:
                client.close()
        self._sockets = still_open

    def close(self) -> None:
        """Close all of them."""
        while self._sockets:
            self._sockets.pop().close()

    @property
    def still_open(self) -> int:
        """How many the server has not closed."""
        return sum(_is_open(client) for client in self._sockets)


@contextmanager
def crowd_in_own_process(ports: tuple[int, ...], each: int, addresses: int) -> Iterator[Event]:
    """Have a process of its own open silent connections until the block ends; give an event for when all came."""
    context = multiprocessing.get_context("spawn")
    grown, stop = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(ports, each, addresses, grown, stop))
    process.start()
    try:
        yield grown
    finally:
        stop.set()
        process.join(30)
        process.kill()
        process.join()


def _hold(ports: tuple[int, ...], each: int, addresses: int, grown: Event, stop: Event) -> None:
    with many_descriptors():
        crowd = Crowd(ports)
        asyncio.run(crowd.grow(each, addresses))
        grown.set()
        stop.wait(120)
        crowd.close()


def _is_open(client: socket.socket) -> bool:
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)


async def seconds_of_request(port: int, path: str, tls: ssl.SSLContext | None = None) -> float:
    """Make one request on a new connection; return how long its status line took.

    Raises:
        OSError: it was not answered.
    """
    began = time.monotonic()
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            line = await reader.readuntil(b"\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("closed without an answer") from error
        finally:
            writer.transport.abort()
    if not line.startswith(b"HTTP/1.1 "):
        raise ConnectionError(f"no answer but {line!r}")
    return time.monotonic() - began

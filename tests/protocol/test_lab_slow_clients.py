"""Clients of the lab's listeners that say nothing, half a request or nonsense, and descriptors that run out."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kswifi.lab.site.content import ContentServer

PATIENCE_SECONDS = 10.0


def connect(address: tuple[str, int], octets: bytes = b"") -> socket.socket:
    connection = socket.create_connection(address, PATIENCE_SECONDS)
    connection.sendall(octets)
    return connection


def hear(connection: socket.socket) -> bytes:
    octets = b""
    try:
        while piece := connection.recv(65536):
            octets += piece
    except ConnectionResetError:
        pass
    connection.close()
    return octets


@contextmanager
def content(**seconds: float) -> Iterator[tuple[str, int]]:
    server = ContentServer("127.0.0.1", 0, **seconds)
    until, stop = os.pipe()
    with os.fdopen(until, "rb") as until_file:
        thread = threading.Thread(target=server.run, args=(until_file,))
        thread.start()
        try:
            yield server.address
        finally:
            os.close(stop)
            thread.join()
            server.close()


@pytest.mark.parametrize("octets", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"])
def test_the_content_server_closes_on_clients_that_owe_a_head(octets: bytes) -> None:
    with content(head_seconds=0.1) as address:
        received = hear(connect(address, octets))
        assert (b"HTTP/1.1 200 " in received) is octets.endswith(b"GET")


@pytest.mark.parametrize(
    "octets",
    [
        b"POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        b"GET /stream?seed=s&octets=100000000 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_the_content_server_closes_on_clients_that_stand_still(octets: bytes) -> None:
    with content(idle_seconds=0.1) as address:
        connection = connect(address, octets)
        if octets.startswith(b"GET"):
            time.sleep(2.5)  # it cannot send on, and looks once a second
        assert len(hear(connection)) < 100_000_000


@pytest.mark.parametrize(
    "octets",
    [
        b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //[x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /stream?octets=" + b"9" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /stream?octets=9 HTTP/1.1\r\nHost: a\r\nRange: bytes=" + b"9" * 5000 + b"-\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPUT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n",
    ],
)
def test_nonsense_does_not_end_the_content_server(octets: bytes) -> None:
    with content() as address:
        assert b"HTTP/1.1 4" in hear(connect(address, octets))
        assert b"HTTP/1.1 200 " in hear(connect(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))


PROXY = """
import asyncio, json, os, resource, socket, sys, time
from kswifi.lab.gateway.destinations import Destinations
from kswifi.lab.gateway.proxy import IdleLimits, Proxy

async def main():
    proxy = Proxy({}, Destinations([], []), IdleLimits(60, 60))
    address = proxy.start("127.0.0.1", 0)
    await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 1)  # what it loads is loaded now
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, highest + 20))
    print(json.dumps(address), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(json.dumps({"failures": proxy._acceptor.failures, "cpu_seconds": time.process_time()}), flush=True)
    await proxy.close()

asyncio.run(main())
"""


def test_a_proxy_without_descriptors_backs_off_makes_room_and_serves_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROXY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        address = tuple(json.loads(process.stdout.readline()))
        silent = [connect(address, b"GET") for _ in range(60)]
        # Sixty half requests, twenty descriptors: the oldest silent ones give way.
        answer = hear(connect(address, b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 407 ")
        for each in silent:
            each.close()
        process.stdin.write(b"\n")
        process.stdin.flush()
        *logged, last = [line for line in process.stdout.read().splitlines() if line]
        told = json.loads(last)
        assert 1 <= told["failures"] < 60
        assert len(logged) <= 2
        assert b"Traceback" not in process.stderr.read()


ACCEPTOR = """
import asyncio, json, os, resource, socket
from kswifi.lab.gateway.acceptor import Acceptor
from kswifi.kernel.listening import loopback_socket

async def main():
    accepted = []
    acceptor = Acceptor(loopback_socket("127.0.0.1", 0), accepted.append)
    client = socket.create_connection(acceptor.address)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    await asyncio.sleep(0.8)
    failures = acceptor.failures
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    async with asyncio.timeout(10):
        while not accepted:
            await asyncio.sleep(0.01)
    print(json.dumps(failures))

asyncio.run(main())
"""


def test_an_acceptor_that_finds_no_room_pauses_and_goes_on_when_there_is_some() -> None:
    result = subprocess.run([sys.executable, "-c", ACCEPTOR], capture_output=True, check=True)
    *_, last = result.stdout.splitlines()
    assert 1 <= json.loads(last) <= 4

"""Every step of a connection has a deadline, over HTTP and HTTPS, and other clients are answered meanwhile."""

import asyncio
import resource
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from kswifi.listeners.pool import Cause, Phase
from tests.support.listeners import LARGE_OCTETS, REQUEST, SHORT, Listening, closes, listening


def reading_transport(writer: asyncio.StreamWriter) -> asyncio.Transport:
    """Return the writer's transport as one whose reading can be paused."""
    transport = writer.transport
    assert isinstance(transport, asyncio.Transport)
    return transport


BOTH = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])


def run(folder: Path, tls: bool, scenario: Callable[[Listening], Awaitable[None]], **limits: float) -> None:
    async def main() -> None:
        async with listening(folder, tls=tls, limits=replace(SHORT, **limits)) as server:  # type: ignore[arg-type]
            await scenario(server)

    asyncio.run(main())


@BOTH
def test_a_connection_that_sends_nothing_is_closed(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect()
        assert await closes(reader) == b""
        writer.close()
        assert server.pool.counts["test", Cause.HEAD_LATE] == 1
        assert len(server.pool) == 0

    run(tmp_path, tls, scenario)


@BOTH
def test_a_head_that_arrives_octet_by_octet_is_ended_at_its_deadline(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect()
        began = time.monotonic()

        async def drip() -> None:
            with suppress(ConnectionError):
                for octet in REQUEST * 10:
                    writer.write(bytes([octet]))
                    await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        answer = await closes(reader)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 2
        dripping.cancel()
        writer.close()
        assert server.pool.counts["test", Cause.HEAD_LATE] == 1

    run(tmp_path, tls, scenario)


@BOTH
def test_a_later_head_has_the_same_deadline(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect()
        writer.write(REQUEST + b"GET /pi")
        assert b"HTTP/1.1 408 " in await closes(reader)
        writer.close()

    run(tmp_path, tls, scenario, idle_seconds=60.0)


@BOTH
def test_a_connection_whose_body_is_late_is_closed(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect()
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1")
        await asyncio.sleep(0.1)
        writer.write(b"2")
        await closes(reader)
        writer.close()
        assert server.pool.counts["test", Cause.BODY_LATE] == 1

    run(tmp_path, tls, scenario)


@BOTH
def test_an_idle_connection_is_closed(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect()
        writer.write(REQUEST)
        assert (await closes(reader)).endswith(b"pong")
        writer.close()
        assert server.pool.counts["test", Cause.IDLE] == 1

    run(tmp_path, tls, scenario)


@BOTH
def test_a_client_that_does_not_read_its_answer_is_closed(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect()
        reading_transport(writer).pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for _ in range(100):
            await asyncio.sleep(0.05)
            if server.pool.counts["test", Cause.READING_SLOW]:
                break
        assert len(server.pool) == 0
        assert server.pool.counts["test", Cause.READING_SLOW] == 1
        reading_transport(writer).resume_reading()
        with suppress(ConnectionError):
            assert len(await asyncio.wait_for(reader.read(), 5)) < LARGE_OCTETS
        writer.transport.abort()

    run(tmp_path, tls, scenario)


def test_a_client_that_reads_slowly_but_enough_gets_its_whole_answer(tmp_path: Path) -> None:
    async def scenario(server: Listening) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
            client.setblocking(False)
            loop, taken = asyncio.get_running_loop(), 0
            await loop.sock_sendall(client, b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            for _ in range(12):  # for some 1.2 s, four times the deadline
                taken += len(await loop.sock_recv(client, 200_000))
                await asyncio.sleep(0.1)
            while octets := await loop.sock_recv(client, 1_000_000):
                taken += len(octets)
        assert taken > LARGE_OCTETS
        assert server.pool.counts["test", Cause.READING_SLOW] == 0

    run(tmp_path, False, scenario)


@BOTH
def test_an_event_stream_outlives_every_deadline(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect()
        writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(0.2)
        assert server.pool.held() == {("test", Phase.ANSWER): 1}
        assert (await closes(reader)).count(b"data: x") == 6
        writer.close()

    run(tmp_path, tls, scenario)


def test_a_handshake_that_does_not_begin_is_closed(tmp_path: Path) -> None:
    async def scenario(server: Listening) -> None:
        reader, writer = await server.connect(shake_hands=False)
        await asyncio.sleep(0.05)
        assert server.pool.held() == {("test", Phase.HANDSHAKE): 1}
        assert await closes(reader) == b""
        writer.close()
        assert (
            server.pool.counts["test", Cause.HANDSHAKE_LATE] + server.pool.counts["test", Cause.HANDSHAKE_FAILED]
            == 1
        )
        assert len(server.pool) == 0

    run(tmp_path, True, scenario)


def test_octets_that_are_not_http_are_refused_and_counted(tmp_path: Path) -> None:
    async def scenario(server: Listening) -> None:
        assert (await server.ask(b"G\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert server.pool.counts["test", Cause.MALFORMED] == 1

    run(tmp_path, False, scenario)


@BOTH
def test_new_clients_are_served_despite_many_silent_connections(tmp_path: Path, tls: bool) -> None:
    async def scenario(server: Listening) -> None:
        silent = []
        for _ in range(300):
            connection = socket.socket()
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", server.port))
            silent.append(connection)
        for _ in range(20):
            assert (await server.ask()).startswith(b"HTTP/1.1 200 ")
        assert server.pool.counts["test", Cause.EVICTED] > 200
        for connection in silent:
            connection.close()

    run(tmp_path, tls, scenario, connections=50.0, handshake_seconds=60.0, head_seconds=60.0)


def test_without_descriptors_a_silent_connection_is_closed_and_serving_goes_on(tmp_path: Path) -> None:
    async def scenario(server: Listening) -> None:
        loop = asyncio.get_running_loop()
        crowd = [socket.socket() for _ in range(200)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(it.fileno() for it in crowd) + 40, hard))
        try:
            for client in crowd:
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", server.port))
            for _ in range(50):
                await asyncio.sleep(0.05)
                if server.pool.exhaustions["test"]:
                    break
            assert server.pool.exhaustions["test"]
            used, began = time.process_time(), server.pool.exhaustions["test"]
            await asyncio.sleep(1)
            assert server.pool.exhaustions["test"] - began < 8  # it rests, and does not spin
            assert time.process_time() - used < 0.5
            await loop.sock_sendall(crowd[-1], REQUEST)
            answer = await asyncio.wait_for(loop.sock_recv(crowd[-1], 20), 60)
            assert answer.startswith(b"HTTP/1.1 200 ")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for client in crowd:
                client.close()

    run(tmp_path, False, scenario, connections=1000.0, per_address=1000.0, head_seconds=1.5)


def test_many_event_streams_of_one_address_are_refused_and_others_are_served(tmp_path: Path) -> None:
    async def scenario(server: Listening) -> None:
        streams = [await server.connect() for _ in range(20)]
        for reader, writer in streams:
            writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"data")
        reader, writer = await server.connect()
        assert await closes(reader) == b""
        writer.close()
        assert server.pool.counts["test", Cause.REFUSED_ADDRESS] == 1
        with socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.2", 0)) as other:
            other.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(other, REQUEST)
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(other, 20), 5)
        assert answer.startswith(b"HTTP/1.1 200 ")
        for _, each in streams:
            each.transport.abort()

    run(tmp_path, False, scenario, per_address=20.0)

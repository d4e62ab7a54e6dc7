"""Whether a request came over an internet session."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from kswifi.providers.core.lab_network import LabNetworkAccess
from kswifi.sessions.errors import WIFI_UNKNOWN
from kswifi.sessions.network_access import CidrNetworkAccess
from tests.support.refusals import refused


async def test_wifi_is_where_the_operator_says() -> None:
    access = CidrNetworkAccess([ip_network("192.168.0.0/16"), ip_network("fd00::/8")])
    for host, over_session in (
        ("192.168.7.1", False),
        ("fd00::1", False),
        ("10.45.0.2", True),
        ("2001:db8::1", True),
        ("not an address", True),
    ):
        assert await access.is_over_session(host, 1234) is over_session
    behind = CidrNetworkAccess([ip_network("10.0.0.0/8")], [ip_network("10.0.0.1/32")])
    assert await behind.is_over_session("10.0.0.1", 0), "the proxy itself stands for a client that is not known"
    assert not await behind.is_over_session("::ffff:10.0.0.2", 0)
    assert not await CidrNetworkAccess([]).is_over_session("10.45.0.2", 1)
    for host, wifi in (("192.168.7.1", True), ("10.45.0.2", False), ("not an address", None)):
        assert await access.is_wifi(host, 1234) is wifi
    assert await behind.is_wifi("10.0.0.1", 0) is None, "the client behind the proxy is not known"
    assert await CidrNetworkAccess([]).is_wifi("192.168.7.1", 1) is None, "no network is named as WiFi"


@asynccontextmanager
async def lab(status: int, body: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b"\r\n")[0].decode())
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_the_lab_is_asked_for_the_socket() -> None:
    origins = []
    for owned in (True, False):
        async with lab(200, json.dumps({"owned": owned}).encode()) as (origin, asked):
            access = LabNetworkAccess(origin)
            assert await access.is_over_session("127.0.0.1", 4711) is owned
            assert await access.is_wifi("127.0.0.1", 4711) is not owned
            assert asked[:1] == ["GET /v1/sockets?host=127.0.0.1&port=4711 HTTP/1.1"]
            await access.close()
            origins.append(origin)
    stopped = LabNetworkAccess(origins[-1])
    assert not await stopped.is_over_session("127.0.0.1", 4711), "no lab, no gateway, no session"
    await stopped.close()


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (200, b"{}"), (200, b"no json"), (200, b"[]"), (200, b'{"owned": 1}')]
)
async def test_a_lab_that_does_not_say_is_not_taken_for_wifi(status: int, body: bytes) -> None:
    async with lab(status, body) as (origin, _):
        access = LabNetworkAccess(origin)
        with refused(WIFI_UNKNOWN):
            await access.is_over_session("127.0.0.1", 4711)
        assert await access.is_wifi("127.0.0.1", 4711) is None
        await access.close()

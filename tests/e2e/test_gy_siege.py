"""The server process besieged: connections by the thousand, peers that do not read, garbage, lengths of 16 MB.

All at once, while one peer charges as ever: every answer of it comes and is right, and memory stays bounded.
"""

import asyncio
import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final

import pytest

from kswifi.bench.gy_load.messages import PEER
from kswifi.diameter.messages.base import DeviceWatchdogRequest
from tests.support.gy_books import Books, load
from tests.support.gy_server import greeting
from tests.support.own_core import CREDIT, SUBSCRIBERS, OwnCoreServer, serving

CONNECTIONS: Final = [2_000, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]
NASTY_PEERS: Final = 40
ELSEWHERE: Final = "127.0.0.2"
"""Where the strangers come from: another host than the good peers'."""
NEWCOMERS: Final = 8
"""Good peers that connect while strangers hold all the room there is."""
MEMORY_OCTETS: Final = 64_000_000
"""How much the server may grow: 40 peers at their worst hold 256 KB of answers each, and as much unread."""
_HALF: Final = b"\x01\x00\xff\xfc" + bytes(40_000)
_SIXTEEN_MEGABYTES: Final = b"\x01\xff\xff\xfc" + bytes(60_000)


def resident_octets(pid: int) -> int:
    """Return how much memory a process has now, by what the kernel says."""
    (line,) = (it for it in Path(f"/proc/{pid}/status").read_text().splitlines() if it.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@contextmanager
def many_files(wanted: int) -> Iterator[int]:
    """Let this process have as many files as it may; give how many of the wanted connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield min(wanted, hard - 500)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def besiege(port: int, count: int, until: float) -> int:
    """Do all of it; return how many connections came about."""
    watchdogs = DeviceWatchdogRequest(origin_host=PEER, origin_realm="r").encode() * 1_000
    nasty = (watchdogs, b"GET / HTTP/1.1\r\n\r\n" * 100, _HALF, _SIXTEEN_MEGABYTES)
    came = select.epoll()
    made = begun = 0
    with ExitStack() as held:
        rude = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(NASTY_PEERS)]
        for connection in rude:
            connection.sendall(greeting(PEER))
            connection.setblocking(False)
        while time.monotonic() < until or made < count:
            for place, connection in enumerate(rude):
                with suppress(BlockingIOError, ConnectionError):
                    connection.send(nasty[place % len(nasty)])
            for _ in range(min(200, count - begun)):
                stranger = held.enter_context(socket.socket())
                stranger.setblocking(False)
                stranger.bind((ELSEWHERE, 0))
                stranger.connect_ex(("127.0.0.1", port))
                came.register(stranger, select.EPOLLOUT | select.EPOLLONESHOT)
                begun += 1
            made += len(came.poll(0.01, count))
    return made


async def insist(server: OwnCoreServer, books: Books) -> None:
    """Connect and charge as a peer does that comes now; the kernel may turn it away where too many wait."""
    while not books.stopping:
        with suppress(ConnectionError):
            await load(books, server.port, sessions=1, replays=1)
        await asyncio.sleep(0.05)


async def charge_meanwhile(server: OwnCoreServer, books: Books, count: int) -> tuple[int, int, int, int]:
    """Charge before and under the siege; return its connections, answers meanwhile, the memory and its peak."""
    assert server.process is not None
    pid = server.process.pid
    first = asyncio.create_task(load(books, server.port, sessions=2, replays=0))
    await asyncio.sleep(1.0)
    before, answered = resident_octets(pid), books.answered
    siege = asyncio.create_task(asyncio.to_thread(besiege, server.port, count, time.monotonic() + 3))
    newcomers = [asyncio.create_task(insist(server, books)) for _ in range(NEWCOMERS)]
    peak = before
    while not siege.done():
        await asyncio.sleep(0.05)
        peak = max(peak, resident_octets(pid))
        assert not first.done(), "the good peer was dropped"
    assert not any(it.done() for it in newcomers)
    under_siege = books.answered - answered
    books.stopping = True
    await asyncio.gather(first, *newcomers)
    return await siege, under_siege, before, peak


@pytest.mark.parametrize("wanted", CONNECTIONS)
def test_a_siege_harms_nobody_else_and_memory_stays_bounded(tmp_path: Path, wanted: int) -> None:
    books = Books(Random(1), SUBSCRIBERS)
    with serving(tmp_path) as server, many_files(wanted) as count:
        server.start()
        made, under_siege, before, peak = asyncio.run(charge_meanwhile(server, books, count))
        print(f"{made} connections, {under_siege} answers meanwhile, {before // 10**6} to {peak // 10**6} MB")
        server.stop()
        state = server.state()
    assert books.wrong == []
    assert made >= count
    assert under_siege >= 5  # seldom more than some dozens while strangers arrive as fast as the machine lets them
    assert peak - before < MEMORY_OCTETS
    reported = books.reported(answered=True)
    for number in range(SUBSCRIBERS):
        assert state.accounts[f"a{number}"].used == reported[number]
        assert state.accounts[f"a{number}"].available == CREDIT - reported[number]

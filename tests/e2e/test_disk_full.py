"""A disk that is full under load: nothing is lost, the process lives, and it recovers when there is room again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from kswifi.bench.gy_load.messages import PEER
from kswifi.diameter.constants import ResultCode
from kswifi.diameter.framing import MessageFramer
from kswifi.diameter.header import peek_header
from kswifi.diameter.messages.credit_control import CreditControlAnswer
from tests.support.api import Page, problem, register
from tests.support.gy_books import Books, load, retransmitted
from tests.support.gy_server import greeting
from tests.support.own_core import CREDIT, SUBSCRIBERS, OwnCoreServer, serving
from tests.support.small_disk import MEANS, SmallDisk, small_disk

OUTSTANDING: Final = 16
BALLAST: Final = 4_000_000
WISHES: Final = {"usage": True, "expiry": True}


@asynccontextmanager
async def gy(server: OwnCoreServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(greeting(PEER))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer_to(server: OwnCoreServer, message: bytes) -> bytes:
    """Send one request on a connection of its own, and return its answer."""
    async with gy(server) as (reader, writer), asyncio.timeout(10):
        writer.write(message)
        framer = MessageFramer()
        while octets := await reader.read(1 << 16):
            for answer in framer.feed(octets):
                if peek_header(answer).application_id:
                    return answer
    raise AssertionError("the server closed the connection")


async def until_readiness(client: httpx2.AsyncClient, server: OwnCoreServer, *, ready: bool) -> httpx2.Response:
    async with asyncio.timeout(30):
        while True:
            answer = await client.get(f"{server.monitoring}/readyz")
            if answer.is_success == ready:
                return answer
            await asyncio.sleep(0.05)


async def answered_more(books: Books, count: int) -> None:
    wanted = books.answered + count
    async with asyncio.timeout(30):
        while books.answered < wanted:  # noqa: ASYNC110 - the load has nobody to tell
            await asyncio.sleep(0.01)


async def check_a_full_disk(server: OwnCoreServer, books: Books, page: Page, told: httpx2.Response) -> None:
    """Reads and repeated requests are answered, what is new is refused with a time to come again."""
    assert "disk_space" in problem(told, 503, "not_ready")["detail"]
    problem(await page.client.get("/readyz"), 503, "not_ready")
    assert (await page.client.get("/api/v1/account")).is_success
    refused = await page.send("PUT", "/api/v1/notifications", WISHES)
    problem(refused, 503, "disk_full")
    assert int(refused.headers["retry-after"]) > 0
    metrics = (await page.client.get(f"{server.monitoring}/metrics")).text
    assert "kswifi_disk_short 1.0" in metrics

    new = books.begin()
    assert new is not None
    assert result_of(await answer_to(server, new)) == ResultCode.TOO_BUSY
    books.forget(new)

    before = next(
        it
        for it in reversed(books.requests.values())
        if it.said is not None and it.said[0] == ResultCode.SUCCESS and it.used
    )
    again = await answer_to(server, retransmitted(before.message))
    assert result_of(again) == ResultCode.SUCCESS


def result_of(answer: bytes) -> int:
    return CreditControlAnswer.decode(answer).result_code


async def fill_and_empty(server: OwnCoreServer, books: Books, disk: SmallDisk) -> None:
    async with httpx2.AsyncClient(base_url=server.api, timeout=10) as client:
        page = await register(client)
        running = asyncio.create_task(load(books, server.port, sessions=OUTSTANDING, replays=0))
        await answered_more(books, 1)
        opening = books.begin()  # a session in addition to the load, whose next report is kept back
        assert opening is not None
        report = books.take(await answer_to(server, opening))
        assert report is not None
        for greedy in (False, True):
            await answered_more(books, 200)
            disk.fill(greedy=greedy)
            told = await until_readiness(client, server, ready=False)
            await check_a_full_disk(server, books, page, told)
            if disk.has_ballast and not greedy:  # its space is there for the usage of open sessions
                answer = await answer_to(server, report)
                assert result_of(answer) == ResultCode.SUCCESS
                report = books.take(answer)
                assert report is not None
            disk.empty()
            await until_readiness(client, server, ready=True)
            assert (await page.send("PUT", "/api/v1/notifications", WISHES)).is_success
        await answered_more(books, 200)
        books.stopping = True
        while report is not None:
            report = books.take(await answer_to(server, report))
        await running


@pytest.mark.parametrize("means", MEANS)
def test_a_full_disk_costs_nothing_and_ends_nothing(tmp_path: Path, means: str) -> None:
    books = Books(Random(20261123), SUBSCRIBERS)
    with small_disk(means, tmp_path / "disk") as disk:
        server = OwnCoreServer(
            tmp_path, disk.data_dir, disk.alter, ballast_octets=BALLAST if disk.has_ballast else 0
        )
        with serving(tmp_path, server):
            process = server.start()
            try:
                asyncio.run(fill_and_empty(server, books, disk))
            finally:
                print(server.log[-4000:])
            assert process.ended() is None
            server.stop()
            assert "Traceback" not in server.log
            state = server.state()
    assert books.wrong == []
    reported = books.reported(answered=True)
    for number in range(SUBSCRIBERS):
        account = state.accounts[f"a{number}"]
        assert (account.used, account.overrun) == (reported[number], 0)
        assert account.available + account.reserved == CREDIT - reported[number]

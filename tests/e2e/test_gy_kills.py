"""SIGKILL of the server process under load from outside: no answered request is lost, none is applied twice.

The seed is printed; ``TEST_SEED=... pytest tests/e2e/test_gy_kills.py`` draws the same moments again.
"""

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.support.gy_books import Books, load
from tests.support.own_core import CREDIT, SUBSCRIBERS, OwnCoreServer, serving

SEED = int(os.environ.get("TEST_SEED", "20261123"))
OUTSTANDING: Final = 64
REPLAYS: Final = 100


def check(server: OwnCoreServer, books: Books) -> None:
    """What was answered is booked, and what is booked was reported: once each."""
    assert books.wrong == []
    state, answered, sent = server.state(), books.reported(answered=True), books.reported(answered=False)
    for number in range(SUBSCRIBERS):
        account = state.accounts[f"a{number}"]
        assert answered[number] <= account.used + account.overrun <= sent[number]


async def _until_killed(server: OwnCoreServer, books: Books, seconds: float) -> None:
    running = asyncio.create_task(
        load(books, server.port, sessions=OUTSTANDING - len(books.unanswered), replays=REPLAYS)
    )
    await asyncio.sleep(seconds)
    assert not running.done(), "the server went before it was killed"
    server.kill()
    await running


@pytest.mark.parametrize("kills", [6, pytest.param(1_000, marks=pytest.mark.soak)])
def test_no_answered_request_is_lost_and_none_applied_twice(tmp_path: Path, kills: int) -> None:
    books = Books(Random(SEED), SUBSCRIBERS)
    with serving(tmp_path) as server:
        for turn in range(kills):
            server.start()
            asyncio.run(_until_killed(server, books, books.chance.uniform(0.02, 0.25)))
            if turn % 10 == 9:
                check(server, books)
        server.start()
        books.stopping = True
        asyncio.run(load(books, server.port, sessions=0, replays=5_000))
        server.kill()
        state = server.state()
    print(f"{len(books.requests)} requests, {books.replays} replays, {kills} kills, seed {SEED}")
    assert books.wrong == []
    # Enough to kill in the middle of; how many a busy machine answers between two kills is not the question here.
    assert len(books.requests) > 10 * kills
    reported = books.reported(answered=True)
    for number in range(SUBSCRIBERS):
        account = state.accounts[f"a{number}"]
        assert (account.used, account.overrun, account.reserved) == (reported[number], 0, 0)
        assert account.available == CREDIT - reported[number]

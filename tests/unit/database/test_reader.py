"""Readers: one snapshot a step, on a thread or, where a step is known to be quick, on the loop."""

import asyncio
import sqlite3
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from kswifi.database import reader
from kswifi.database.engine import transaction_instant
from kswifi.database.errors import DatabaseBusyError
from tests.support.databases import START, open_database

COUNT = text("SELECT count(*) FROM domain_event")


def _where(connection: Connection) -> str:
    connection.execute(COUNT)
    return threading.current_thread().name


def _slow(_connection: Connection, seconds: float) -> str:
    deadline = time.thread_time() + seconds
    while time.thread_time() < deadline:
        pass
    return threading.current_thread().name


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as quick or slow, far apart from what a busy machine makes of a step."""
    monkeypatch.setattr(reader, "QUICK_SECONDS", 0.1)
    monkeypatch.setattr(reader, "SLOW_SECONDS", 0.2)


@pytest.mark.usefixtures("generous")
def test_a_quick_step_runs_on_the_loop_once_it_is_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            assert (await database.read(_where)).startswith("database-reader")
            assert await database.read(_where) == threading.current_thread().name
            assert await database.read(transaction_instant) == START

    asyncio.run(scenario())


@pytest.mark.usefixtures("generous")
def test_a_slow_step_stays_on_threads_and_one_that_becomes_slow_goes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            where = [await database.read(partial(_slow, seconds=seconds)) for seconds in (0.3, 0, 0.3, 0, 0)]
            here = threading.current_thread().name
            assert [name == here for name in where] == [False, False, True, False, True]

    asyncio.run(scenario())


@pytest.mark.usefixtures("generous")
def test_readers_cannot_write_wherever_they_run(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            for fails in (True, False, True):  # on threads, then on the loop
                if fails:
                    with pytest.raises(OperationalError, match="readonly"):
                        await database.read(partial(_count_or_write, writes=True))
                else:
                    assert await database.read(partial(_count_or_write, writes=False)) == 0

    asyncio.run(scenario())


def _count_or_write(connection: Connection, *, writes: bool) -> int:
    if writes:
        connection.execute(text("DELETE FROM domain_event"))
    return int(connection.execute(COUNT).scalar_one())


def test_a_step_sees_one_snapshot(tmp_path: Path) -> None:
    began, may_go_on = threading.Event(), threading.Event()

    def count_twice(connection: Connection) -> tuple[int, int]:
        first = connection.execute(COUNT).scalar_one()
        began.set()
        assert may_go_on.wait(10)
        return first, connection.execute(COUNT).scalar_one()

    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            reading = asyncio.create_task(database.read(count_twice))
            assert await asyncio.to_thread(began.wait, 10)
            await database.write(_publish)
            may_go_on.set()
            assert await reading == (0, 0)
            assert await database.read(lambda connection: connection.execute(COUNT).scalar_one()) == 1

    asyncio.run(scenario())


def _publish(connection: Connection) -> None:
    connection.execute(text("INSERT INTO domain_event (user_id, kind, payload, at) VALUES ('u', 'k', '{}', 0)"))


def test_readers_that_are_all_in_use_refuse_what_waited_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, running = threading.Event(), threading.Semaphore(0)

    def hold(_connection: Connection) -> None:
        running.release()
        assert may_end.wait(10)

    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            holding = [asyncio.create_task(database.read(hold)) for _ in range(reader.THREADS)]
            for _ in holding:
                assert await asyncio.to_thread(running.acquire, timeout=10)
            monkeypatch.setattr("kswifi.database.engine.BUSY_SECONDS", 0)
            late = asyncio.create_task(database.read(lambda connection: connection.execute(COUNT).scalar_one()))
            await asyncio.sleep(0)
            may_end.set()
            with pytest.raises(DatabaseBusyError):
                await late
            await asyncio.gather(*holding)

    asyncio.run(scenario())


@pytest.mark.usefixtures("generous")
def test_a_step_that_meets_a_lock_on_the_loop_waits_for_it_on_a_thread(tmp_path: Path) -> None:
    def locked_on_the_loop(_connection: Connection) -> str:
        if threading.current_thread() is threading.main_thread():
            raise OperationalError("SELECT", None, sqlite3.OperationalError("database is locked"))
        return threading.current_thread().name

    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            for _ in range(3):
                assert (await database.read(locked_on_the_loop)).startswith("database-reader")

    asyncio.run(scenario())

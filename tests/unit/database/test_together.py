"""Group commit: each request whole or not at all, all of them durable before any is answered."""

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, func, insert, select
from sqlalchemy.exc import IntegrityError

from kswifi.database import together
from kswifi.database.engine import Database, announce, sqlite_url, transaction_instant
from kswifi.database.errors import DatabaseBusyError
from tests.support.databases import START, open_database

SCRATCH = MetaData()
number = Table("number", SCRATCH, Column("value", Integer, primary_key=True))


async def _make(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.run_sync(SCRATCH.create_all)


def _add(connection: Connection, value: int, *, fail: bool = False) -> int:
    connection.execute(insert(number), {"value": value})
    if fail:
        raise ValueError(value)
    announce(connection, "numbers")
    return value


def _values(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "control.db")) as plain:
        return [row[0] for row in plain.execute("SELECT value FROM number ORDER BY value")]


async def test_what_fails_is_undone_alone_and_the_rest_is_durable(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _make(database)
        told: list[int] = []
        database.subscribe("numbers", lambda: told.append(1))
        jobs = (database.together(partial(_add, value=value, fail=value % 3 == 0)) for value in range(1, 31))
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert [r for r in results if isinstance(r, int)] == [v for v in range(1, 31) if v % 3]
        assert sum(isinstance(r, ValueError) for r in results) == 10
        assert _values(tmp_path) == [v for v in range(1, 31) if v % 3]
        assert 1 <= len(told) < 20  # once a batch
        with pytest.raises(ValueError, match="33"):  # alone in its transaction
            await database.together(lambda connection: _add(connection, 33, fail=True))
        assert 33 not in _values(tmp_path)
        assert await database.together(transaction_instant) == START


async def test_where_sqlite_undoes_everybodys_work_each_is_told_why(tmp_path: Path) -> None:
    def undo_all(connection: Connection) -> int:
        return connection.execute(insert(number).prefix_with("OR ROLLBACK"), {"value": 7}).rowcount

    async with open_database(tmp_path) as database:
        await _make(database)
        await database.together(partial(_add, value=7))
        works = (partial(_add, value=1), undo_all, partial(_add, value=2))
        results = await asyncio.gather(*(database.together(work) for work in works), return_exceptions=True)
        assert [type(result) for result in results] == [IntegrityError] * 3
        assert _values(tmp_path) == [7]
        assert await database.together(partial(_add, value=3)) == 3
        assert _values(tmp_path) == [3, 7]


async def test_it_takes_turns_with_transactions(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _make(database)

        async def slow(value: int) -> None:
            async with database.transaction() as connection:
                count = (await connection.execute(select(func.count()).select_from(number))).scalar_one()
                await asyncio.sleep(0.001)
                await connection.execute(insert(number), {"value": 1000 + value})
                again = (await connection.execute(select(func.count()).select_from(number))).scalar_one()
                assert again == count + 1

        await asyncio.gather(
            *(slow(value) for value in range(20)),
            *(database.together(partial(_add, value=value)) for value in range(40)),
        )
        assert len(_values(tmp_path)) == 60


async def test_too_much_waiting_is_turned_away_and_a_given_up_wait_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "WORK_LIMIT", 3)

    database = Database(sqlite_url(tmp_path / "control.db"))
    await _make(database)
    async with database.transaction():
        waiting = [asyncio.create_task(database.together(partial(_add, value=value))) for value in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(DatabaseBusyError):
            await database.together(lambda connection: _add(connection, 99))
        waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await database.close()
    assert _values(tmp_path) == [0, 1, 2]

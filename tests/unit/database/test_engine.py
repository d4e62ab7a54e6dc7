import asyncio
import sqlite3
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from kswifi.database import engine
from kswifi.database.engine import Database, announce, sqlite_url, transaction_instant
from kswifi.database.errors import DatabaseBusyError, DatabaseDamagedError, UnsupportedDatabaseError
from kswifi.database.types import ExactInteger, UtcDateTime
from tests.support.databases import START, open_database

SCRATCH = MetaData()
reading_table = Table(
    "reading",
    SCRATCH,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime),
    Column("octets", ExactInteger),
)


async def _make(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.run_sync(SCRATCH.create_all)


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _make(database)

        async def write_twice() -> None:
            async with database.transaction() as connection:
                await connection.execute(reading_table.insert().values(id=1))
                await connection.execute(reading_table.insert().values(id=1))

        with pytest.raises(IntegrityError):
            await write_twice()
        async with database.reading() as connection:
            assert (await connection.execute(reading_table.select())).all() == []


async def test_instants_are_kept_to_the_microsecond_in_utc_and_naive_ones_are_refused(tmp_path: Path) -> None:
    lagos = datetime(2026, 11, 23, 10, 0, 0, 123457, tzinfo=timezone(timedelta(hours=1)))

    async with open_database(tmp_path) as database:
        await _make(database)
        async with database.transaction() as connection:
            await connection.execute(reading_table.insert().values(id=1, at=lagos))
            raw = await connection.scalar(text("SELECT at FROM reading"))
            back = await connection.scalar(reading_table.select().with_only_columns(reading_table.c.at))
        assert raw == 1795424400123457
        assert back == lagos
        assert back.tzinfo is UTC
        with pytest.raises(StatementError, match="no time zone"):
            async with database.transaction() as connection:
                await connection.execute(reading_table.insert().values(id=2, at=datetime(2026, 1, 1)))  # noqa: DTZ001


@pytest.mark.parametrize("wrong", [0.5, True, "7"])
async def test_a_count_is_an_exact_integer(tmp_path: Path, wrong: object) -> None:
    async with open_database(tmp_path) as database:
        await _make(database)
        with pytest.raises(StatementError, match="not an exact integer"):
            async with database.transaction() as connection:
                await connection.execute(reading_table.insert().values(id=1, octets=wrong))


async def test_readers_cannot_write(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _make(database)
        with pytest.raises(OperationalError, match="readonly"):
            async with database.reading() as connection:
                await connection.execute(reading_table.insert().values(id=1))


async def test_a_commit_is_durable_and_keys_are_enforced(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database, database.transaction() as connection:
        pragmas = {
            name: await connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "control.db").touch(mode=0o644)

    async with open_database(tmp_path) as database:
        await _make(database)
        assert _modes(tmp_path) == dict.fromkeys(("control.db", "control.db-wal", "control.db-shm"), 0o600)


async def test_writers_take_turns(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _make(database)
        async with database.transaction() as connection:
            await connection.execute(reading_table.insert().values(id=1, octets=0))

        async def add_one() -> None:
            async with database.transaction() as connection:
                octets = await connection.scalar(text("SELECT octets FROM reading"))
                await asyncio.sleep(0)
                await connection.execute(reading_table.update().values(octets=octets + 1))

        await asyncio.gather(*(add_one() for _ in range(25)))
        async with database.reading() as connection:
            assert await connection.scalar(text("SELECT octets FROM reading")) == 25


async def test_another_process_that_keeps_the_database_makes_it_busy_not_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)

    async with open_database(tmp_path) as database:
        other = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusyError):
            async with database.transaction():
                pass
        other.execute("ROLLBACK")
        other.close()
        async with database.transaction():
            pass


async def test_a_cancelled_transaction_is_rolled_back_and_the_writer_is_free_again(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _make(database)
        inside = asyncio.Event()

        async def never_ends() -> None:
            async with database.transaction() as connection:
                await connection.execute(reading_table.insert().values(id=1))
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(never_ends())
        await inside.wait()
        task.cancel()
        await asyncio.wait([task])
        async with database.transaction() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM reading")) == 0


async def test_subscribers_hear_of_commits_and_of_nothing_else(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        heard: list[str] = []
        end = database.subscribe("news", lambda: heard.append("news"))
        database.subscribe("other", lambda: heard.append("other"))
        async with database.transaction() as connection:
            announce(connection, "news")
            announce(connection, "news")
            assert heard == []
            assert transaction_instant(connection) == START
        assert heard == ["news"]

        async def announce_and_fail() -> None:
            async with database.transaction() as connection:
                announce(connection, "news")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await announce_and_fail()
        async with database.transaction():
            pass
        assert heard == ["news"]
        end()
        async with database.transaction() as connection:
            announce(connection, "news")
        assert heard == ["news"]


@pytest.mark.parametrize("content", [b"this is no database" * 300, b"SQLite format 3\0" + b"\x7f" * 4000])
async def test_a_file_that_is_no_database_is_reported_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "control.db"
    path.write_bytes(content)
    database = Database(sqlite_url(path))
    try:
        with pytest.raises(DatabaseDamagedError, match="kswifi restore"):
            await database.check()
    finally:
        await database.close()
    assert path.read_bytes() == content


async def test_a_page_that_was_overwritten_is_found(tmp_path: Path) -> None:
    async with open_database(tmp_path) as whole:
        await whole.check()
    path = tmp_path / "control.db"
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xa5" * 4096
    path.write_bytes(content)

    database = Database(sqlite_url(path))
    try:
        with pytest.raises(DatabaseDamagedError):
            await database.check()
    finally:
        await database.close()


@pytest.mark.parametrize("url", ["postgresql+asyncpg://localhost/kswifi", "sqlite+aiosqlite://", "sqlite:///x.db"])
def test_only_a_sqlite_file_is_supported(url: str) -> None:
    with pytest.raises(UnsupportedDatabaseError):
        Database(url)

import asyncio
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from kswifi.database.engine import Database, announce, sqlite_url, transaction_instant
from kswifi.database.errors import DatabaseDamagedError, UnsupportedDatabaseError
from kswifi.database.sqlite import LOG_OCTETS_KEPT
from kswifi.database.types import ExactInteger, UtcDateTime
from tests.support.databases import START, open_database
from tests.support.directories import ODD_DIRECTORIES

pytestmark = pytest.mark.sqlite  # tests/contract/test_databases.py has what holds for both

SCRATCH = MetaData()
reading_table = Table(
    "reading",
    SCRATCH,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime),
    Column("octets", ExactInteger),
)


async def _make(database: Database) -> None:
    await database.write(SCRATCH.create_all)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            await _make(database)

            def write_twice(connection: Connection) -> None:
                connection.execute(reading_table.insert().values(id=1))
                connection.execute(reading_table.insert().values(id=1))

            with pytest.raises(IntegrityError):
                await database.write(write_twice)
            assert await database.read(lambda connection: connection.execute(reading_table.select()).all()) == []

    asyncio.run(scenario())


def test_instants_are_kept_to_the_microsecond_in_utc_and_naive_ones_are_refused(tmp_path: Path) -> None:
    lagos = datetime(2026, 11, 23, 10, 0, 0, 123457, tzinfo=timezone(timedelta(hours=1)))

    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            await _make(database)

            def change(connection: Connection) -> tuple[Any, Any | None]:
                connection.execute(reading_table.insert().values(id=1, at=lagos))
                raw = connection.scalar(text("SELECT at FROM reading"))
                back = connection.scalar(reading_table.select().with_only_columns(reading_table.c.at))
                return raw, back

            raw, back = await database.write(change)
            assert raw == 1795424400123457
            assert back == lagos
            assert back.tzinfo is UTC
            with pytest.raises(StatementError, match="no time zone"):
                await database.write(
                    lambda connection: connection.execute(
                        reading_table.insert().values(id=2, at=datetime(2026, 1, 1))  # noqa: DTZ001
                    )
                )

    asyncio.run(scenario())


@pytest.mark.parametrize("wrong", [0.5, True, "7"])
def test_a_count_is_an_exact_integer(tmp_path: Path, wrong: object) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            await _make(database)
            with pytest.raises(StatementError, match="not an exact integer"):
                await database.write(
                    lambda connection: connection.execute(reading_table.insert().values(id=1, octets=wrong))
                )

    asyncio.run(scenario())


def test_readers_cannot_write(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            await _make(database)
            with pytest.raises(OperationalError, match="readonly"):
                await database.read(lambda connection: connection.execute(reading_table.insert().values(id=1)))

    asyncio.run(scenario())


def test_a_commit_is_durable_and_keys_are_enforced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:

            def change(connection: Connection) -> None:
                pragmas = {
                    name: connection.scalar(text(f"PRAGMA {name}"))
                    for name in ("journal_mode", "synchronous", "foreign_keys")
                }
                assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

            await database.write(change)

    asyncio.run(scenario())


def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "control.db").touch(mode=0o644)

    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            await _make(database)
            assert _modes(tmp_path) == dict.fromkeys(("control.db", "control.db-wal", "control.db-shm"), 0o600)

    asyncio.run(scenario())


def test_subscribers_hear_of_commits_and_of_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_database(tmp_path) as database:
            heard: list[str] = []
            end = database.subscribe("news", lambda: heard.append("news"))
            database.subscribe("other", lambda: heard.append("other"))

            def change(connection: Connection) -> None:
                announce(connection, "news")
                announce(connection, "news")
                assert heard == []
                assert transaction_instant(connection) == START

            await database.write(change)
            assert heard == ["news"]

            def announce_and_fail(connection: Connection) -> None:
                announce(connection, "news")
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await database.write(announce_and_fail)
            await database.write(lambda _connection: None)
            assert heard == ["news"]
            end()
            await database.write(lambda connection: announce(connection, "news"))
            assert heard == ["news"]

    asyncio.run(scenario())


@pytest.mark.parametrize("content", [b"this is no database" * 300, b"SQLite format 3\0" + b"\x7f" * 4000])
def test_a_file_that_is_no_database_is_reported_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "control.db"
    path.write_bytes(content)

    async def scenario() -> None:
        database = Database(sqlite_url(path))
        try:
            with pytest.raises(DatabaseDamagedError, match="kswifi restore"):
                await database.check()
        finally:
            await database.close()

    asyncio.run(scenario())
    assert path.read_bytes() == content


def test_a_page_that_was_overwritten_is_found(tmp_path: Path) -> None:
    async def fill() -> None:
        async with open_database(tmp_path) as database:
            await database.check()

    asyncio.run(fill())
    path = tmp_path / "control.db"
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xa5" * 4096
    path.write_bytes(content)

    async def check() -> None:
        database = Database(sqlite_url(path))
        try:
            with pytest.raises(DatabaseDamagedError):
                await database.check()
        finally:
            await database.close()

    asyncio.run(check())


def _insert(connection: Connection) -> None:
    connection.execute(reading_table.insert().values(octets=1))


async def test_the_write_ahead_log_does_not_keep_its_peak_size(tmp_path: Path) -> None:
    def fill(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE filled (octets BLOB)"))
        connection.execute(text("INSERT INTO filled VALUES (zeroblob(:size))"), {"size": 2 * LOG_OCTETS_KEPT})

    async with open_database(tmp_path) as database:
        await _make(database)
        log = tmp_path / "control.db-wal"
        await database.write(fill)
        peak = log.stat().st_size
        for _ in range(3):
            await database.write(_insert)
        assert log.stat().st_size <= LOG_OCTETS_KEPT < peak


@pytest.mark.parametrize("name", ODD_DIRECTORIES)
async def test_the_database_file_is_in_its_directory_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()

    async def count_after_insert() -> int:
        database = Database(sqlite_url(folder / "control.db"))

        def step(connection: Connection) -> int:
            SCRATCH.create_all(connection)
            connection.execute(reading_table.insert().values(octets=1))
            return len(connection.execute(reading_table.select()).all())

        try:
            return await database.write(step)
        finally:
            await database.close()

    assert [await count_after_insert(), await count_after_insert()] == [1, 2]  # the second time the file exists
    assert _names(tmp_path) == [name]
    assert _names(folder) == ["control.db"]


@pytest.mark.parametrize("url", ["postgresql+asyncpg://localhost/kswifi", "sqlite://", "sqlite:///:memory:"])
def test_only_a_sqlite_file_is_supported(url: str) -> None:
    with pytest.raises(UnsupportedDatabaseError):
        Database(url)

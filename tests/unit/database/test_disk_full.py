"""A full disk refuses a step and keeps the database usable; a broken one stops the process."""

import resource
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, func, insert, select

from kswifi.database.errors import DatabaseBusyError, DatabaseDiskError, DatabaseFullError
from tests.support.databases import open_database
from tests.support.small_disk import limit_pages

SCRATCH = MetaData()
bulk = Table("bulk", SCRATCH, Column("number", Integer, primary_key=True), Column("octets", LargeBinary))
OCTETS = bytes(200_000)


def _add(connection: Connection) -> None:
    connection.execute(insert(bulk), {"octets": OCTETS})


def _count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(bulk)) or 0


async def test_a_full_disk_refuses_the_step_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kswifi.data_directory.ballast import Ballast
    from kswifi.database import writer
    from kswifi.ledger.storage.sqlite_journal import SqliteJournal

    for owner, name in ((SqliteJournal, "append"), (writer, "transaction"), (Ballast, "free_octets")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # undone after the test, whatever replaces it
    flag = tmp_path / "full"
    limit_pages(str(flag))
    async with open_database(tmp_path) as database:
        told = list[int]()
        database.out_of_space = lambda: told.append(1)
        await database.write(SCRATCH.create_all)
        flag.touch()
        with pytest.raises(DatabaseFullError) as refused:
            await database.write(_add)
        assert (refused.value.code, refused.value.facts["retry_after_seconds"], told) == ("disk_full", 30, [1])
        assert isinstance(refused.value, DatabaseBusyError)  # what waits for a busy database waits for room too
        assert await database.read(_count) == 0
        flag.unlink()
        await database.write(_add)
        assert await database.read(_count) == 1


async def test_a_nearly_full_disk_refuses_before_anything_runs(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await database.write(SCRATCH.create_all)
        database.is_short = lambda: True
        with pytest.raises(DatabaseFullError):
            await database.write(_add)
        assert await database.read(_count) == 0
        database.is_short = lambda: False
        await database.write(_add)
        assert await database.read(_count) == 1


async def test_a_failed_write_is_fatal(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        told = list[BaseException]()
        database.fatal = told.append
        await database.write(SCRATCH.create_all)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            with pytest.raises(DatabaseDiskError, match="Check the disk, then start again"):
                await database.write(_add)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [type(it) for it in told] == [DatabaseDiskError]

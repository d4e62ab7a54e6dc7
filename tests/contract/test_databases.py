"""What `Database` promises, on SQLite and on PostgreSQL."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, create_engine, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError

from kswifi.database import writer
from kswifi.database.dialect import insert, savepoint, select_rows, update_rows, upsert_rows
from kswifi.database.engine import Database, after_commit, announce, sqlite_url
from kswifi.database.errors import CommitUnknownError, DatabaseBusyError, DatabaseDamagedError
from kswifi.database.migrate import migrate
from tests.support import postgresql

BACKENDS = ("sqlite", "postgresql")
number = Table(
    "number", MetaData(), Column("value", BigInteger, primary_key=True), Column("note", String(40), nullable=False)
)


@asynccontextmanager
async def _open(backend: str, folder: Path) -> AsyncIterator[Database]:
    url: URL = sqlite_url(folder / "control.db")
    if backend == "postgresql":
        url = postgresql.url_of_folder(folder)
        postgresql.create_database(url)
    database = Database(url)
    try:
        await database.write(lambda connection: number.create(connection, checkfirst=True))
        yield database
    finally:
        await database.close()


def _add(connection: Connection, value: int, *, fail: bool = False) -> int:
    connection.execute(insert(number).values(value=value, note="added"))
    announce(connection, "numbers")
    if fail:
        raise ValueError(value)
    return value


def _values(connection: Connection) -> list[int]:
    return [int(value) for value in connection.scalars(select(number.c.value).order_by(number.c.value))]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_step_that_fails_is_undone_and_those_of_its_transaction_are_kept(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TRANSACTION_SECONDS", 10)
    async with _open(backend, tmp_path) as database:
        woken: list[str] = []
        called: list[int] = []
        database.subscribe("numbers", lambda: woken.append("numbers"))

        def noted(connection: Connection) -> None:
            _add(connection, 3)
            after_commit(connection, lambda: called.append(3))

        steps = (partial(_add, value=1), partial(_add, value=2, fail=True), noted, partial(_add, value=1))
        results = await asyncio.gather(*(database.write(step) for step in steps), return_exceptions=True)
        assert [type(result) for result in results] == [int, ValueError, type(None), IntegrityError]
        assert await database.read(_values) == [1, 3]
        assert (woken, called) == (["numbers"], [3])


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_conflict_within_a_savepoint_leaves_the_rest_of_the_step(backend: str, tmp_path: Path) -> None:
    def two_of_which_one_is_there(connection: Connection) -> None:
        with savepoint(connection):
            _add(connection, 2)
            _add(connection, 1)

    def step(connection: Connection) -> None:
        _add(connection, 1)
        with pytest.raises(IntegrityError):
            two_of_which_one_is_there(connection)
        _add(connection, 3)

    async with _open(backend, tmp_path) as database:
        await database.write(step)
        assert await database.read(_values) == [1, 3]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_reader_sees_one_snapshot_and_cannot_write(backend: str, tmp_path: Path) -> None:
    async with _open(backend, tmp_path) as database:
        await database.write(partial(_add, value=1))
        loop = asyncio.get_running_loop()
        written = threading.Event()

        def look_twice(connection: Connection) -> tuple[list[int], list[int]]:
            before = _values(connection)
            loop.call_soon_threadsafe(lambda: tasks.append(asyncio.ensure_future(write())))
            assert written.wait(20)
            return before, _values(connection)

        async def write() -> None:
            await database.write(partial(_add, value=2))
            written.set()

        tasks: list[asyncio.Task[None]] = []
        assert await database.read(look_twice) == ([1], [1])
        assert await database.read(_values) == [1, 2]
        with pytest.raises(DBAPIError):
            await database.read(partial(_add, value=9))
        assert await database.read(_values) == [1, 2]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_writers_of_two_processes_take_turns(backend: str, tmp_path: Path) -> None:
    """Each reads the highest number and writes the next; with two writers at once, some would be equal."""

    def next_number(connection: Connection) -> int:
        highest = max(_values(connection), default=0)
        return _add(connection, highest + 1)

    async with _open(backend, tmp_path) as one, _open(backend, tmp_path) as other:
        writes = [database.write(next_number) for _ in range(40) for database in (one, other)]
        assert sorted(await asyncio.gather(*writes)) == list(range(1, 81))


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_writer_that_waits_too_long_is_refused_and_wrote_nothing(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kswifi.database.engine.BUSY_SECONDS", 0.2)
    async with _open(backend, tmp_path) as one, _open(backend, tmp_path) as other:
        go_on = threading.Event()
        begun = threading.Event()

        def hold(connection: Connection) -> None:
            _add(connection, 1)
            begun.set()
            assert go_on.wait(20)

        holding = asyncio.ensure_future(one.write(hold))
        await asyncio.to_thread(begun.wait, 20)
        with pytest.raises(DatabaseBusyError):
            await other.write(partial(_add, value=2))
        go_on.set()
        await holding
        assert await other.read(_values) == [1]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_rows_straight_from_the_driver(backend: str, tmp_path: Path) -> None:
    def step(connection: Connection) -> list[tuple[object, ...]]:
        columns = ("value", "note")
        upsert_rows(connection, "number", columns, [(1, "a"), (2, "b")], key=["value"], replace=["note"])
        upsert_rows(connection, "number", columns, [(2, "c"), (3, "d")], key=["value"], replace=["note"])
        update_rows(connection, "number", ["note"], [("e", 1)], key="value")
        assert list(select_rows(connection, "number", columns, key="value", among=[])) == []
        return sorted(select_rows(connection, "number", columns, key="value", among=[1, 2, 3]))

    async with _open(backend, tmp_path) as database:
        assert await database.write(step) == [(1, "e"), (2, "c"), (3, "d")]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_migrations_make_the_same_tables(backend: str, tmp_path: Path) -> None:
    async with _open(backend, tmp_path) as database:
        await migrate(database)
        await migrate(database)  # nothing is left to do
        await database.check()


async def test_a_transaction_whose_connection_was_lost_before_commit_runs_again(tmp_path: Path) -> None:
    async with _open("postgresql", tmp_path) as database:
        runs: list[int] = []

        def step(connection: Connection) -> int:
            runs.append(1)
            if len(runs) == 1:
                _end_connection(database.url, _process_of(connection))
            return _add(connection, 1)

        assert await database.write(step) == 1
        assert len(runs) == 2
        assert await database.read(_values) == [1]


async def test_a_reader_whose_connection_was_lost_reads_again(tmp_path: Path) -> None:
    async with _open("postgresql", tmp_path) as database:
        await database.write(partial(_add, value=1))
        runs: list[int] = []

        def look(connection: Connection) -> list[int]:
            runs.append(1)
            if len(runs) == 1:
                _end_connection(database.url, _process_of(connection))
            return _values(connection)

        assert await database.read(look) == [1]
        assert len(runs) == 2


@pytest.mark.parametrize("written", [True, False])
async def test_a_connection_lost_during_commit_is_said_and_never_tried_again(tmp_path: Path, written: bool) -> None:
    """A trigger at COMMIT waits; its connection is ended meanwhile, by the server or only towards the client."""
    async with _open("postgresql", tmp_path) as database:
        await database.write(_slow_commit)
        processes: list[int] = []
        runs: list[int] = []

        def step(connection: Connection) -> None:
            runs.append(1)
            processes.append(_process_of(connection))
            if written:  # the answer to COMMIT never arrives: its socket is shut down, and the server commits
                driver: Any = connection.connection.driver_connection
                threading.Timer(0.3, _shut_down, (driver.fileno(),)).start()
            else:
                threading.Timer(0.3, _end_connection, (database.url, processes[0])).start()
            _add(connection, 7)

        with pytest.raises(CommitUnknownError):
            await database.write(step)
        assert len(runs) == 1
        if written:
            for _ in range(100):
                if await database.read(_values):
                    break
                await asyncio.sleep(0.05)
        assert await database.read(_values) == ([7] if written else [])
        await database.write(lambda connection: connection.execute(text("DROP TRIGGER slow ON number")))
        assert await database.write(partial(_add, value=8)) == 8


async def test_a_database_with_another_order_of_text_is_refused(tmp_path: Path) -> None:
    url = postgresql.url_of_folder(tmp_path)
    postgresql.create_database(url, options="ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    database = Database(url)
    try:
        with pytest.raises(DatabaseDamagedError, match="encoding is LATIN1"):
            await database.check()
    finally:
        await database.close()


def _slow_commit(connection: Connection) -> None:
    connection.execute(
        text(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$"
        )
    )
    connection.execute(
        text(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON number DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slow()"
        )
    )


def _process_of(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT pg_backend_pid()")))


def _end_connection(url: URL, process: int) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
    engine.dispose()


def _shut_down(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as end:
        end.shutdown(socket.SHUT_RD)

"""The writer: each step whole or not at all, all of them durable before any is answered."""

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert
from sqlalchemy.exc import IntegrityError, OperationalError

from kswifi.database import writer
from kswifi.database.engine import Database, announce, transaction_instant
from kswifi.database.errors import DatabaseBusyError
from tests.support.databases import START, open_database

pytestmark = pytest.mark.sqlite  # tests/contract/test_databases.py has what holds for both

SCRATCH = MetaData()
number = Table("number", SCRATCH, Column("value", Integer, primary_key=True))


@asynccontextmanager
async def _open(folder: Path) -> AsyncIterator[Database]:
    async with open_database(folder) as database:
        await database.write(SCRATCH.create_all)
        yield database


def _add(connection: Connection, value: int, *, fail: bool = False) -> int:
    connection.execute(insert(number), {"value": value})
    announce(connection, "numbers")
    if fail:
        raise ValueError(value)
    return value


def _values(folder: Path) -> list[int]:
    with sqlite3.connect(folder / "control.db") as plain:
        found = [row[0] for row in plain.execute("SELECT value FROM number ORDER BY value")]
    plain.close()
    return found


@contextmanager
def _another_process_writes(folder: Path) -> Iterator[None]:
    other = sqlite3.connect(folder / "control.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


class _Gate:
    """A step that writes a value, says that it runs, and ends when it is let."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.runs = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, connection: Connection) -> int:
        _add(connection, self.value)
        self.runs.set()
        assert self.may_end.wait(10)
        return self.value

    async def running(self) -> None:
        assert await asyncio.to_thread(self.runs.wait, 10)


def test_what_fails_is_undone_alone_and_the_rest_is_durable(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _open(tmp_path) as database:
            told: list[int] = []
            database.subscribe("numbers", lambda: told.append(1))
            steps = (partial(_add, value=value, fail=value % 3 == 0) for value in range(1, 31))
            results = await asyncio.gather(*(database.write(step) for step in steps), return_exceptions=True)
            assert [r for r in results if isinstance(r, int)] == [v for v in range(1, 31) if v % 3]
            assert sum(isinstance(r, ValueError) for r in results) == 10
            assert _values(tmp_path) == [v for v in range(1, 31) if v % 3]
            assert 1 <= len(told) < 20  # once a transaction
            with pytest.raises(ValueError, match="33"):  # alone in its transaction
                await database.write(partial(_add, value=33, fail=True))
            assert 33 not in _values(tmp_path)
            assert await database.write(transaction_instant) == START

    asyncio.run(scenario())


def test_steps_that_came_together_share_a_commit_unless_they_want_to_be_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by what wakes: subscribers are called once a commit."""
    monkeypatch.setattr(writer, "TRANSACTION_SECONDS", 10)

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            commits: list[int] = []
            database.subscribe("numbers", lambda: commits.append(1))
            await asyncio.gather(*(database.write(partial(_add, value=value)) for value in range(64)))
            assert len(commits) == 1
            together = [
                database.write(partial(_add, value=100 + value), alone=value in (2, 3)) for value in range(6)
            ]
            await asyncio.gather(*together)
            assert len(commits) == 1 + 4  # 0 1 | 2 | 3 | 4 5

    asyncio.run(scenario())


def test_a_shared_transaction_closes_once_it_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "TRANSACTION_SECONDS", 0)

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            commits: list[int] = []
            database.subscribe("numbers", lambda: commits.append(1))
            results = await asyncio.gather(*(database.write(partial(_add, value=value)) for value in range(5)))
            assert (results, len(commits)) == ([0, 1, 2, 3, 4], 5)

    asyncio.run(scenario())


def test_only_a_step_that_succeeds_wakes_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "TRANSACTION_SECONDS", 10)

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            woken: list[str] = []
            database.subscribe("numbers", lambda: woken.append("numbers"))
            steps = (partial(_add, value=1, fail=True), lambda connection: announce(connection, "other"))
            await asyncio.gather(*(database.write(step) for step in steps), return_exceptions=True)
            assert woken == []

    asyncio.run(scenario())


def test_where_sqlite_undoes_every_step_each_gets_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TRANSACTION_SECONDS", 10)

    def undo_all(connection: Connection) -> int:
        return connection.execute(insert(number).prefix_with("OR ROLLBACK"), {"value": 7}).rowcount

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            await database.write(partial(_add, value=7))
            steps = (partial(_add, value=1), undo_all, partial(_add, value=2))
            results = await asyncio.gather(*(database.write(step) for step in steps), return_exceptions=True)
            # What came after the transaction was gone runs in the next one.
            assert [type(result) for result in results] == [IntegrityError, IntegrityError, int]
            assert _values(tmp_path) == [2, 7]
            assert await database.write(partial(_add, value=3)) == 3
            assert _values(tmp_path) == [2, 3, 7]

    asyncio.run(scenario())


def test_a_commit_that_fails_fails_every_step_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deferred foreign key is looked at in COMMIT."""
    monkeypatch.setattr(writer, "TRANSACTION_SECONDS", 10)
    pair = "CREATE TABLE pair (id INTEGER PRIMARY KEY, of INTEGER REFERENCES pair DEFERRABLE INITIALLY DEFERRED)"

    def orphan(connection: Connection) -> int:
        return connection.exec_driver_sql("INSERT INTO pair VALUES (1, 99)").rowcount

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            await database.write(lambda connection: connection.exec_driver_sql(pair).close())
            woken: list[int] = []
            database.subscribe("numbers", lambda: woken.append(1))
            steps = (partial(_add, value=1), orphan, partial(_add, value=2, fail=True))
            results = await asyncio.gather(*(database.write(step) for step in steps), return_exceptions=True)
            assert [type(result) for result in results] == [IntegrityError, IntegrityError, ValueError]
            assert (_values(tmp_path), woken) == ([], [])
            assert await database.write(partial(_add, value=3)) == 3

    asyncio.run(scenario())


def test_a_step_that_did_not_begin_is_dropped_with_its_caller(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _open(tmp_path) as database:
            gate = _Gate(1)
            first = asyncio.create_task(database.write(gate))
            await gate.running()
            second = asyncio.create_task(database.write(partial(_add, value=2)))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            gate.may_end.set()
            assert await first == 1
            await database.write(partial(_add, value=3))
            assert _values(tmp_path) == [1, 3]

    asyncio.run(scenario())


@pytest.mark.parametrize("times", [1, 3])
def test_a_caller_that_is_cancelled_while_its_step_runs_waits_for_its_end(tmp_path: Path, times: int) -> None:
    async def scenario() -> None:
        async with _open(tmp_path) as database:
            gate = _Gate(1)
            task = asyncio.create_task(database.write(gate))
            await gate.running()
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0.01)
                assert not task.done()
            gate.may_end.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert _values(tmp_path) == [1]  # what is cancelled too late is kept

    asyncio.run(scenario())


def test_a_loop_that_ends_while_a_step_runs_ends_after_it(tmp_path: Path) -> None:
    gate = _Gate(1)
    opened: list[Database] = []

    async def leave() -> None:
        async with _open(tmp_path):
            pass
        database = Database(f"sqlite:///{tmp_path / 'control.db'}")
        opened.append(database)
        task = asyncio.create_task(database.write(gate))
        await gate.running()
        asyncio.get_running_loop().call_later(0.05, gate.may_end.set)
        assert not task.done()

    asyncio.run(leave())
    assert _values(tmp_path) == [1]
    asyncio.run(opened[0].close())


def test_a_step_whose_turn_came_too_late_never_runs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _open(tmp_path) as database:
            gate = _Gate(1)
            first = asyncio.create_task(database.write(gate))
            await gate.running()
            late = asyncio.create_task(database.write(partial(_add, value=2), wait_seconds=0))
            patient = asyncio.create_task(database.write(partial(_add, value=3)))
            await asyncio.sleep(0)
            gate.may_end.set()
            with pytest.raises(DatabaseBusyError):
                await late
            assert (await first, await patient) == (1, 3)
            assert _values(tmp_path) == [1, 3]

    asyncio.run(scenario())


def test_too_many_waiting_steps_are_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WAITING_LIMIT", 3)

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            gate = _Gate(0)
            first = asyncio.create_task(database.write(gate))
            await gate.running()
            waiting = [asyncio.create_task(database.write(partial(_add, value=value))) for value in (1, 2, 3)]
            await asyncio.sleep(0)
            with pytest.raises(DatabaseBusyError):
                await database.write(partial(_add, value=99))
            gate.may_end.set()
            assert await asyncio.gather(first, *waiting) == [0, 1, 2, 3]
            assert _values(tmp_path) == [0, 1, 2, 3]

    asyncio.run(scenario())


def test_a_step_waits_for_another_process_and_is_refused_if_that_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kswifi.database.engine.BUSY_SECONDS", 0.1)

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            with _another_process_writes(tmp_path):
                steps = [database.write(partial(_add, value=value)) for value in (1, 2)]
                results = await asyncio.gather(*steps, return_exceptions=True)
                assert [type(result) for result in results] == [DatabaseBusyError] * 2
            assert await database.write(partial(_add, value=3)) == 3
            assert _values(tmp_path) == [3]

    asyncio.run(scenario())


def test_context_variables_are_carried_into_a_step(tmp_path: Path) -> None:
    request_id = contextvars.ContextVar("request_id", default="none")

    async def ask(database: Database, name: str) -> str:
        request_id.set(name)
        return await database.write(lambda _connection: request_id.get())

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            names = [f"request-{count}" for count in range(5)]
            tasks = [asyncio.create_task(ask(database, name)) for name in names]
            assert await asyncio.gather(*tasks) == names

    asyncio.run(scenario())


def test_a_step_never_hangs_its_caller_whatever_it_raises(tmp_path: Path) -> None:
    def raise_it(_connection: Connection, error: BaseException) -> None:
        raise error

    async def scenario() -> None:
        async with _open(tmp_path) as database:
            for error, expected in ((StopIteration(), RuntimeError), (GeneratorExit(), GeneratorExit)):
                async with asyncio.timeout(10):
                    with pytest.raises(expected):
                        await database.write(partial(raise_it, error=error))
            with pytest.raises(OperationalError):
                await database.write(lambda connection: connection.exec_driver_sql("SELECT nothing FROM absent"))
            assert await database.write(partial(_add, value=1)) == 1

    asyncio.run(scenario())

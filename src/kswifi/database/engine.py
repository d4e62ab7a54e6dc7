"""The control plane's database: steps that read or write, and waking those who wait for what was written.

A step is a plain function of a connection. ``write`` and ``read`` are the only way from asynchronous code to the
database. SQLite has one writer. Instead of letting writers meet in its busy handler, which polls and is not fair,
all of this process's writing steps queue for one connection; other processes are met by BEGIN IMMEDIATE and a busy
time-out. Readers have connections of their own that cannot write.

Rules of a step:

- It uses its connection and its arguments alone: no asyncio object, no state that others change meanwhile, no cache
  or limiter. Read those before, on the loop, and check again after.
- It can be run again from its beginning: it changes no captured state and does no input or output. A fact is
  logged once it is true: see ``after_commit``.
- It is short: it holds back every other writer.
- An expected conflict is met with ON CONFLICT, or inside a savepoint.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DatabaseError

from kswifi.database.dialect import damage_found, damage_in, file_of, is_locked, open_engine
from kswifi.database.dialect import sqlite_url as sqlite_url  # noqa: PLC0414 - passed on
from kswifi.database.errors import DatabaseBusyError, DatabaseDamagedError
from kswifi.database.reader import THREADS, Readers
from kswifi.database.writer import AFTER_COMMIT, INSTANT, TOPICS, Writer
from kswifi.database.writer import Step as Step  # noqa: PLC0414 - passed on
from kswifi.kernel.clock import Clock, SystemClock

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every capability's tables stand on this; the convention names constraints, so that migrations can find them."""

BUSY_SECONDS: Final = 10
"""How long a step waits for its turn before it is refused."""

SHED_SECONDS: Final = 2
"""How long a step waits that belongs to a request which may be refused when much is asked for at once."""

_T = TypeVar("_T")


def transaction_instant(connection: Connection) -> datetime:
    """Return the one instant of this transaction, read from the database's clock when it began.

    Like PostgreSQL's now(): everything written together carries the same time.
    """
    instant = connection.info[INSTANT]
    assert isinstance(instant, datetime)  # noqa: S101 - set by every transaction
    return instant


def announce(connection: Connection, topic: str) -> None:
    """Wake the subscribers of a topic once this step's transaction is committed; not if the step fails."""
    connection.info[TOPICS].add(topic)


def after_commit(connection: Connection, call: Callable[[], object]) -> None:
    """Call something on the loop once this step's transaction is committed: a log line, a count.

    It is quick and does not raise. Nothing is called if the step fails.
    """
    connection.info[AFTER_COMMIT].append(call)


class Database:
    """The control plane's database.

    ``url`` is an SQLAlchemy URL of the dialect sqlite with a file (see ``sqlite_url``). The file is made, readable
    by its owner alone, if it is not there. Close it on the loop that used it.

    Raises:
        UnsupportedDatabaseError: the URL names something else.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.path = file_of(url)
        self.clock: Clock = clock or SystemClock()
        self._make_owner_only()
        writing = open_engine(self.path, read_only=False, busy_seconds=BUSY_SECONDS, connections=1)
        reading = open_engine(self.path, read_only=True, busy_seconds=BUSY_SECONDS, connections=THREADS)
        at_once = open_engine(self.path, read_only=True, busy_seconds=0, connections=1)
        self._writer = Writer(writing, self.clock, self._tell)
        self._readers = Readers(reading, at_once, self.clock)
        self._subscribers: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)

    async def write(self, step: Step[_T], *, alone: bool = False, wait_seconds: float | None = None) -> _T:
        """Run a step in a write transaction, which it may share with others; return its result when it is durable.

        What the step raises is raised here, and its writes are undone; those of others are not. ``alone`` is for
        steps that take longer than a few milliseconds: they share no transaction. ``wait_seconds`` is how long the
        step waits for its turn (BUSY_SECONDS). If the caller is cancelled before the step began, the step never
        runs; afterwards, the cancellation is raised when the step has ended, and what it wrote is kept.

        Raises:
            DatabaseBusyError: its turn did not come in time; nothing was done.
            DatabaseDamagedError: the file is not sound.
        """
        with self._explained():
            return await self._writer.run(
                step, alone=alone, wait_seconds=BUSY_SECONDS if wait_seconds is None else wait_seconds
            )

    async def read(self, step: Step[_T]) -> _T:
        """Run a step that sees one consistent snapshot and cannot write; return its result.

        Raises:
            DatabaseBusyError: its turn did not come in time.
            DatabaseDamagedError: the file is not sound.
        """
        with self._explained():
            try:
                return await self._readers.run(step, wait_seconds=BUSY_SECONDS)
            except DatabaseError as error:
                if is_locked(error):
                    raise DatabaseBusyError("the database is busy, try again", seconds=BUSY_SECONDS) from error
                raise

    def subscribe(self, topic: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` on the loop after each commit that announced the topic; return what ends that.

        ``wake`` is quick and does not raise: it sets an event. What another process commits is not announced
        here, so waiters also look now and then.
        """
        self._subscribers[topic].add(wake)

        def unsubscribe() -> None:
            self._subscribers[topic].discard(wake)
            if not self._subscribers[topic]:
                del self._subscribers[topic]

        return unsubscribe

    async def check(self) -> None:
        """Refuse a damaged file: run at start, before anything is read from it.

        Raises:
            DatabaseDamagedError: PRAGMA quick_check found something, or the file is no database.
        """
        finding = await self.read(damage_found)
        if finding is not None:
            raise self._damaged(finding)

    async def close(self) -> None:
        """Finish what is waiting, and close all connections."""
        await self._writer.close()
        await self._readers.close()

    def _tell(self, topics: set[str]) -> None:
        for topic in topics:
            for wake in tuple(self._subscribers.get(topic, ())):
                wake()

    def _make_owner_only(self) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o600)  # SQLite gives the -wal and -shm files the mode of this one
        os.close(handle)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn a driver's "malformed" into our error, wherever in a transaction it comes up."""
        try:
            yield
        except DatabaseError as error:
            finding = damage_in(error)
            if finding is None:
                raise
            raise self._damaged(finding) from error

    def _damaged(self, finding: str) -> DatabaseDamagedError:
        return DatabaseDamagedError(
            f"the database {self.path} is damaged ({finding}). It was left as it is: "
            "bring it back with `kswifi restore FILE`.",
            path=str(self.path),
            finding=finding,
        )

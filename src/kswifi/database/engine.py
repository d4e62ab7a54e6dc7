"""The control plane's database: steps that read or write, and notification of waiters about commits.

A step is a plain function of a connection. ``write`` and ``read`` are the only way from asynchronous code to the
database. There is one writer at a time. All writing steps of this process queue for one connection; against other
processes there are BEGIN IMMEDIATE with a busy time-out on SQLite (its busy handler polls and is not fair), and an
advisory lock on PostgreSQL. Readers have connections of their own that cannot write.

Rules of a step:

- It uses its connection and its arguments only: no asyncio object, no state that others change meanwhile, no cache
  or limiter. Read those before, on the loop, and check again after.
- It can be run again from its beginning: it changes no captured state and does no input or output. A fact is logged
  after the commit: see ``after_commit``.
- It is short, because it delays every other writer.
- It handles an expected conflict with ON CONFLICT, or inside a savepoint.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import URL, Connection, MetaData
from sqlalchemy.exc import DatabaseError

from kswifi.database.dialect import damage_in, disk_fault_in, fault_found, is_locked, server_of
from kswifi.database.errors import (
    DatabaseBusyError,
    DatabaseDamagedError,
    DatabaseDiskError,
    DatabaseFullError,
)
from kswifi.database.reader import THREADS, Readers
from kswifi.database.sqlite import sqlite_url as sqlite_url  # noqa: PLC0414 - passed on
from kswifi.database.writer import AFTER_COMMIT, INSTANT, TOPICS, Writer
from kswifi.database.writer import Step as Step  # noqa: PLC0414 - passed on
from kswifi.kernel.clock import Clock, SystemClock
from kswifi.kernel.disk_faults import DiskFault
from kswifi.kernel.errors import KswifiError

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The metadata of all capabilities' tables; the convention names constraints, so that migrations can find them."""

BUSY_SECONDS: Final = 10
"""How long a step waits for its turn before it is refused."""

SHED_SECONDS: Final = 2
"""How long the step of a request waits that may be refused under load."""

FULL_RETRY_SECONDS: Final = 30
"""When a client whose change was refused for a full disk is asked to come again."""

_T = TypeVar("_T")
_may_be_refused: Final = ContextVar("kswifi_write_may_be_refused", default=False)


@contextmanager
def writes_may_be_refused() -> Iterator[None]:
    """Refuse the writes of this context at once where their turn is not expected within SHED_SECONDS.

    For requests of clients that can come again. A write that names its ``wait_seconds`` is not refused: it is what
    follows work that was done already.
    """
    token = _may_be_refused.set(True)
    try:
        yield
    finally:
        _may_be_refused.reset(token)


def transaction_instant(connection: Connection) -> datetime:
    """Return the instant of this transaction, read from the database's clock when it began.

    Like PostgreSQL's now(), it is the same for everything that one transaction writes.
    """
    instant = connection.info[INSTANT]
    assert isinstance(instant, datetime)  # noqa: S101 - set by every transaction
    return instant


def announce(connection: Connection, topic: str) -> None:
    """Wake the subscribers of a topic when this step's transaction is committed; no effect if the step fails."""
    connection.info[TOPICS].add(topic)


def after_commit(connection: Connection, call: Callable[[], object]) -> None:
    """Call a function on the loop when this step's transaction is committed, for example to log or count.

    It must be quick and must not raise. It is not called if the step fails.
    """
    connection.info[AFTER_COMMIT].append(call)


class Database:
    """The control plane's database.

    ``url`` names a file of SQLite (see ``sqlite_url``), which is created if it is missing, or a database of a
    PostgreSQL server (``postgresql://USER@HOST/NAME``). Close the database on the loop that used it.

    Attributes:
        is_short: whether the disk is so nearly full that only the ledger may write; writes are refused then.
        out_of_space: called when a write found the disk full.
        fatal: called when a write failed by a broken or read-only disk; the process must stop, because nobody knows
            what is on the disk.

    Raises:
        UnsupportedDatabaseError: the URL names another kind of database.
    """

    def __init__(self, url: str | URL, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self._server = server = server_of(url)
        self.name = server.name
        self.url = server.url
        self.is_short: Callable[[], bool] = lambda: False
        self.out_of_space: Callable[[], None] = lambda: None
        self.fatal: Callable[[BaseException], None] = lambda _error: None
        writing = server.open_engine(read_only=False, busy_seconds=BUSY_SECONDS, connections=1)
        reading = server.open_engine(read_only=True, busy_seconds=BUSY_SECONDS, connections=THREADS)
        on_loop = (
            server.open_engine(read_only=True, busy_seconds=0, connections=1) if server.reads_on_loop else None
        )
        self._writer = Writer(writing, self.clock, self._tell)
        self._readers = Readers(reading, on_loop, self.clock)
        self._subscribers: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)

    async def write(self, step: Step[_T], *, alone: bool = False, wait_seconds: float | None = None) -> _T:
        """Run a step in a write transaction, shared with other steps; return its result when it is durable.

        An error of the step is raised here, and its writes are undone; those of other steps are not. If the caller
        is cancelled before the step began, the step never runs; if it is cancelled later, the cancellation is
        raised when the step has ended, and its writes are kept.

        Args:
            step: the function of a connection.
            alone: give the step its own transaction; for steps that take longer than a few milliseconds.
            wait_seconds: how long the step waits for its turn; BUSY_SECONDS by default.

        Raises:
            DatabaseBusyError: its turn did not come in time, or is not expected to (``writes_may_be_refused``);
                nothing was done.
            DatabaseFullError: the disk is full, or nearly so; nothing was done.
            DatabaseDiskError: the disk failed; see ``fatal``.
            DatabaseDamagedError: the file is not sound.
        """
        if self.is_short():
            raise self._full()
        sheds = wait_seconds is None and _may_be_refused.get()
        if wait_seconds is None:
            wait_seconds = SHED_SECONDS if sheds else BUSY_SECONDS
        with self._explained():
            try:
                return await self._writer.run(step, alone=alone, wait_seconds=wait_seconds, sheds=sheds)
            except DatabaseError as error:
                raise self._disk_error(error, wrote=True) or error from error

    async def read(self, step: Step[_T]) -> _T:
        """Run a step that sees one consistent snapshot and cannot write; return its result.

        Raises:
            DatabaseBusyError: its turn did not come in time.
            DatabaseDamagedError: the file is damaged.
        """
        with self._explained():
            try:
                return await self._readers.run(step, wait_seconds=BUSY_SECONDS)
            except DatabaseError as error:
                if is_locked(error):
                    raise DatabaseBusyError("the database is busy, try again", seconds=BUSY_SECONDS) from error
                raise self._disk_error(error, wrote=False) or error from error

    def subscribe(self, topic: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` on the loop after each commit that announced the topic; return a function to unsubscribe.

        ``wake`` is quick and does not raise: it sets an event. What another process commits is announced here only
        where that process passes it on (``Database.wake``), so waiters also look now and then.
        """
        self._subscribers[topic].add(wake)

        def unsubscribe() -> None:
            self._subscribers[topic].discard(wake)
            if not self._subscribers[topic]:
                del self._subscribers[topic]

        return unsubscribe

    def wake(self, topics: Collection[str]) -> None:
        """Wake the subscribers of topics that another process has announced with what it committed."""
        self._tell(topics)

    async def check(self) -> None:
        """Refuse a database that is damaged or cannot be used. Call it at start, before anything is read.

        Raises:
            DatabaseDamagedError: SQLite's quick_check reported a fault, the file is not a database, or the
                PostgreSQL database has another encoding or collation than is needed.
        """
        finding = await self.read(fault_found)
        if finding is not None:
            raise self._damaged(finding)

    async def close(self) -> None:
        """Finish the waiting steps, and close all connections."""
        await self._writer.close()
        await self._readers.close()

    def _tell(self, topics: Collection[str]) -> None:
        for topic in topics:
            for wake in tuple(self._subscribers.get(topic, ())):
                wake()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Convert the driver's error about a damaged file into ours, at any point of a transaction."""
        try:
            yield
        except DatabaseError as error:
            finding = damage_in(error)
            if finding is None:
                raise
            raise self._damaged(finding) from error

    def _disk_error(self, error: DatabaseError, *, wrote: bool) -> KswifiError | None:
        """Return our error for a full, broken or read-only disk, after the hooks were called; else None."""
        fault = disk_fault_in(error, self.url)
        if fault is None or damage_in(error) is not None:
            return None
        if fault is DiskFault.FULL:
            self.out_of_space()
            return self._full()
        words = (
            f"the file system of {self.name} is read-only. Make it writable, then start again"
            if fault is DiskFault.READ_ONLY
            else f"the disk of {self.name} failed ({error.orig}). Check the disk, then start again"
        )
        failed = DatabaseDiskError(words, path=self.name)
        if wrote:
            self.fatal(failed)
        return failed

    def _full(self) -> DatabaseFullError:
        return DatabaseFullError(
            "the server's disk is full; nothing was done, try again later", retry_after_seconds=FULL_RETRY_SECONDS
        )

    def _damaged(self, finding: str) -> DatabaseDamagedError:
        return DatabaseDamagedError(
            f"the database {self.name} cannot be used ({finding}). {self._server.restore_hint}",
            path=self.name,
            finding=finding,
        )

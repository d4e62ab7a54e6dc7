"""The engine: short transactions, one writer at a time, and a word to whoever waits for what was written.

SQLite has one writer. Instead of letting writers meet in its busy handler, which polls and is not fair, all of
this process's writers queue for one pooled connection; other processes are met by BEGIN IMMEDIATE and a busy
time-out. Readers have connections of their own that cannot write.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kswifi.database.errors import DatabaseBusyError, DatabaseDamagedError, UnsupportedDatabaseError
from kswifi.database.together import INSTANT, TOPICS, GroupCommit, Work
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
"""How long a transaction waits for its turn before it is refused."""

READERS: Final = 4

_T = TypeVar("_T")
_DAMAGE: Final = ("malformed", "not a database", "disk image", "corrupt")


def sqlite_url(path: Path) -> str:
    """Return the URL of a database file."""
    return f"sqlite+aiosqlite:///{path}"


def transaction_instant(connection: AsyncConnection | Connection) -> datetime:
    """Return the one instant of this transaction, read from the database's clock when it began.

    Like PostgreSQL's now(): everything written together carries the same time.
    """
    instant = connection.info[INSTANT]
    assert isinstance(instant, datetime)  # noqa: S101 - set by every transaction, below
    return instant


def announce(connection: AsyncConnection | Connection, topic: str) -> None:
    """Wake whoever subscribed to the topic, once this transaction has been committed; not if it fails."""
    connection.info[TOPICS].add(topic)


class Database:
    """The control plane's database.

    ``url`` is an SQLAlchemy URL of the dialect sqlite+aiosqlite with a file (see ``sqlite_url``). The file is
    made, readable by its owner alone, if it is not there. Close it on the loop that used it.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        parsed = make_url(url)
        if parsed.drivername != "sqlite+aiosqlite" or parsed.database in (None, "", ":memory:"):
            raise UnsupportedDatabaseError(
                f"KSWiFi runs on sqlite+aiosqlite:///FILE, not on {parsed.drivername}", dialect=parsed.drivername
            )
        self.path = Path(str(parsed.database))
        self.clock: Clock = clock or SystemClock()
        self._make_owner_only()
        self._writer = _engine(url, pool_size=1, begin="BEGIN IMMEDIATE", read_only=False)
        self._readers = _engine(url, pool_size=READERS, begin="BEGIN", read_only=True)
        self._subscribers: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)
        self._turn = asyncio.Lock()  # fair: who came first writes first
        self._together = GroupCommit(_sync_engine(self.path), self._in_turn, self.clock, self._tell)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a write transaction: all of it, durable, or none of it. Keep it short.

        Raises:
            DatabaseBusyError: its turn did not come in time; nothing was done.
            DatabaseDamagedError: the file is not sound.
        """
        topics: set[str] = set()
        with self._explained():
            async with self._in_turn(), self._writer.begin() as connection:
                connection.info[INSTANT] = self.clock.now()
                connection.info[TOPICS] = topics
                yield connection
        self._tell(topics)

    async def together(self, work: Work[_T]) -> _T:
        """Run short synchronous work in a write transaction that it may share with others' (see ``together.py``).

        For servers that answer many small requests; what it raises is raised here, and its writes are undone.

        Raises:
            DatabaseBusyError: its turn did not come in time; nothing was done.
            DatabaseDamagedError: the file is not sound.
        """
        with self._explained():
            return await self._together.run(work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one consistent snapshot and cannot write.

        Raises:
            DatabaseBusyError: no connection came free in time.
            DatabaseDamagedError: the file is not sound.
        """
        with self._explained():
            async with self._readers.connect() as connection:
                connection.info[INSTANT] = self.clock.now()
                yield connection

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
        async with self.reading() as connection:
            findings = (await connection.execute(text("PRAGMA quick_check(10)"))).scalars().all()
        if findings != ["ok"]:
            raise self._damaged("; ".join(str(finding) for finding in findings))

    async def close(self) -> None:
        """Close all connections."""
        await self._together.close()
        await self._readers.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """Hold the right to write."""
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseBusyError(
                "the database is busy; nothing was done, try again", seconds=BUSY_SECONDS
            ) from None
        try:
            yield
        finally:
            self._turn.release()

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
        """Turn a driver's "locked" and "malformed" into our errors, wherever in a transaction they come up."""
        try:
            yield
        except (DatabaseError, PoolTimeoutError) as error:
            words = str(getattr(error, "orig", error)).lower()
            if isinstance(error, PoolTimeoutError) or (isinstance(error, OperationalError) and "locked" in words):
                raise DatabaseBusyError(
                    "the database is busy; nothing was done, try again", seconds=BUSY_SECONDS
                ) from error
            if any(word in words for word in _DAMAGE):
                raise self._damaged(words) from error
            raise

    def _damaged(self, finding: str) -> DatabaseDamagedError:
        return DatabaseDamagedError(
            f"the database {self.path} is damaged ({finding}). It was left as it is: "
            "bring it back with `kswifi restore FILE`.",
            path=str(self.path),
            finding=finding,
        )


def _engine(url: str, *, pool_size: int, begin: str, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        # isolation_level None: sqlite3 begins nothing by itself; the begin event below does (and so DDL is
        # transactional too).
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
    )
    _prepare(engine.sync_engine, begin, read_only=read_only)
    return engine


def _sync_engine(path: Path) -> Engine:
    """Return the engine for group commits: one connection, used on one thread after another."""
    connect_args = {"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
    engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0, connect_args=connect_args)
    _prepare(engine, "BEGIN IMMEDIATE", read_only=False)
    return engine


def _prepare(engine: Engine, begin: str, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # what was committed stays, also through a loss of power
            "foreign_keys = ON",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

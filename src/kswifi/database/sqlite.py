"""SQLite as the database: one file, one writer, readers with snapshots of their own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError

from kswifi.database.errors import UnsupportedDatabaseError

LOG_OCTETS_KEPT: Final = 16 * 1024 * 1024
"""SQLite cuts a write-ahead log back to this size when it next restarts it; without a limit it keeps its peak."""

_DAMAGE: Final = ("malformed", "not a database", "disk image", "corrupt")


def sqlite_url(path: Path) -> URL:
    """Return the URL of a database file, with any character in its path."""
    return URL.create("sqlite", database=str(path))


def file_of(url: str | URL) -> Path:
    """Return the file of a database URL.

    Raises:
        UnsupportedDatabaseError: the URL names another kind of database, or a database without a file.
    """
    parsed = make_url(url)
    if parsed.drivername != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise UnsupportedDatabaseError(
            f"KSWiFi runs on sqlite:///FILE or postgresql://…, not on {parsed.drivername}",
            dialect=parsed.drivername,
        )
    return Path(str(parsed.database))


class SqliteServer:
    """A database file. A missing file is created, readable by its owner only."""

    reads_on_loop = True
    """A quick step may read on the event loop: it waits for no network."""

    def __init__(self, path: Path) -> None:
        self.url = sqlite_url(path)
        self.name = str(path)
        self.restore_hint = "It was left as it is: bring it back with `kswifi restore FILE`."
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o600)  # SQLite gives the -wal and -shm files the mode of this one
        os.close(handle)

    def open_engine(self, *, read_only: bool, busy_seconds: float, connections: int) -> Engine:
        """Return an engine that begins its transactions explicitly, with connections that any thread may use.

        ``busy_seconds`` is how long BEGIN waits for another process that writes. ``read_only`` connections cannot
        write.
        """
        engine = create_engine(
            self.url,
            pool_size=connections,
            max_overflow=0,
            # With isolation_level None, sqlite3 begins no transaction itself. The begin event below does, so that
            # DDL is transactional too.
            connect_args={"timeout": busy_seconds, "isolation_level": None, "check_same_thread": False},
        )
        _prepare(engine, read_only=read_only)
        return engine


def _prepare(engine: Engine, *, read_only: bool) -> None:
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            f"journal_size_limit = {LOG_OCTETS_KEPT}",
            "synchronous = FULL",  # what was committed stays, also through a loss of power
            "foreign_keys = ON",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


@contextmanager
def savepoint(driver: Any) -> Iterator[None]:
    """Undo the writes inside this context if it raises, and nothing else of the transaction.

    If SQLite itself has rolled back the whole transaction (for example when the disk is full), nothing is left to
    undo; ``is_open`` returns False then.
    """
    driver.execute("SAVEPOINT step")
    try:
        yield
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK TO step")
            driver.execute("RELEASE step")
        raise
    driver.execute("RELEASE step")


def is_open(driver: Any) -> bool:
    """Return whether the transaction still exists, that is, SQLite has not rolled it back itself."""
    return bool(driver.in_transaction)


def is_locked(error: OperationalError) -> bool:
    """Return whether an error means that another connection locks the database."""
    return "locked" in str(error.orig).lower()


def damage_in(error: DatabaseError) -> str | None:
    """Return the database's message if an error means that its file is damaged; else None."""
    words = str(error.orig).lower()
    return words if any(word in words for word in _DAMAGE) else None


def fault_found(connection: Connection) -> str | None:
    """Return the findings of a quick check of the whole file; None if it is sound."""
    findings = connection.execute(text("PRAGMA quick_check(10)")).scalars().all()
    return None if findings == ["ok"] else "; ".join(str(finding) for finding in findings)


def trigger_names(connection: Connection) -> set[str]:
    """Return the names of the database's triggers."""
    return set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())

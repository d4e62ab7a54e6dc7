"""Everything specific to SQLite: connections, upserts, partial indexes and error messages.

All other SQL in the product also runs on PostgreSQL. A second database needs a second version of this module and of
the migrations, and no change in any capability.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Index, create_engine, event, text
from sqlalchemy.dialects.sqlite import insert as insert  # noqa: PLC0414 - passed on: it has ON CONFLICT
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError

from kswifi.database.errors import UnsupportedDatabaseError
from kswifi.kernel.disk_faults import DiskFault, fault_of

COUNTED_UP: Final[dict[str, Any]] = {"sqlite_autoincrement": True}
"""Table options: a generated key is never used again, even after its row was deleted."""

ONE_TREE: Final[dict[str, Any]] = {"sqlite_with_rowid": False}
"""Table options: rows are stored in the tree of their primary key."""

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
            f"KSWiFi runs on sqlite:///FILE, not on {parsed.drivername}", dialect=parsed.drivername
        )
    return Path(str(parsed.database))


def open_engine(path: Path, *, read_only: bool, busy_seconds: float, connections: int) -> Engine:
    """Return an engine that begins its transactions explicitly, with connections that any thread may use.

    ``busy_seconds`` is how long BEGIN waits for another process that writes. ``read_only`` connections cannot
    write.
    """
    engine = create_engine(
        sqlite_url(path),
        pool_size=connections,
        max_overflow=0,
        # With isolation_level None, sqlite3 begins no transaction itself. The begin event below does, so that DDL
        # is transactional too.
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
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo the writes inside this context if it raises, and nothing else of the transaction.

    The driver sets the savepoint, because SQLAlchemy builds a new statement for each, which costs as much as a
    short step. If SQLite itself has rolled back the whole transaction (for example when the disk is full), nothing
    is left to undo; ``is_open`` returns False then.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT step")
    try:
        yield
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK TO step")
            driver.execute("RELEASE step")
        raise
    driver.execute("RELEASE step")


def is_open(connection: Connection) -> bool:
    """Return whether the transaction still exists, that is, SQLite has not rolled it back itself."""
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Run a transaction: committed at the end, rolled back if anything raises, including COMMIT.

    After a failed COMMIT (a deferred constraint, a full disk), SQLite may still be in the transaction although
    SQLAlchemy regards it as ended. So the rollback goes to the driver.
    """
    try:
        with connection.begin():
            yield
    except BaseException:
        driver: Any = connection.connection.driver_connection
        if driver.in_transaction:
            driver.rollback()
        raise


def is_locked(error: BaseException) -> bool:
    """Return whether an error means that another connection locks the database."""
    return isinstance(error, OperationalError) and "locked" in str(error.orig).lower()


def disk_fault_in(error: DatabaseError, path: Path) -> DiskFault | None:
    """Return the fault of the database's disk that an error means; None if it means none."""
    return None if error.orig is None else fault_of(error.orig, path.parent)


def damage_in(error: DatabaseError) -> str | None:
    """Return the database's message if an error means that its file is damaged; else None."""
    words = str(error.orig).lower()
    return words if any(word in words for word in _DAMAGE) else None


def damage_found(connection: Connection) -> str | None:
    """Return the findings of a quick check of the whole file; None if it is sound."""
    findings = connection.execute(text("PRAGMA quick_check(10)")).scalars().all()
    return None if findings == ["ok"] else "; ".join(str(finding) for finding in findings)


def trigger_names(connection: Connection) -> set[str]:
    """Return the names of the database's triggers."""
    return set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())


def partial_index(*columns: str, where: str) -> Index:
    """Return an index over the rows that satisfy a condition; its name is derived from its columns."""
    return Index(None, *columns, sqlite_where=text(where), postgresql_where=text(where))


def partial_unique_index(name: str, *columns: str, where: str) -> Index:
    """Return a unique index over the rows that satisfy a condition."""
    return Index(name, *columns, unique=True, sqlite_where=text(where), postgresql_where=text(where))


def upsert_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    key: Sequence[str],
    replace: Sequence[str] = (),
    add: Sequence[str] = (),
) -> None:
    """Insert many rows directly through the driver, without column types.

    For a row whose ``key`` exists, the columns ``replace`` are replaced and the columns ``add`` are added to.
    """
    changes = [f"{it} = excluded.{it}" for it in replace] + [f"{it} = {table}.{it} + excluded.{it}" for it in add]
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608 - our own names alone
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(changes)}",
        list(rows),
    )


def update_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, key: str
) -> None:
    """Set columns of many rows as the driver takes them, without column types; each row ends with its key."""
    changes = ", ".join(f"{it} = ?" for it in columns)
    connection.exec_driver_sql(f"UPDATE {table} SET {changes} WHERE {key} = ?", list(rows))  # noqa: S608 - our own names alone


def select_rows(
    connection: Connection, table: str, columns: Sequence[str], *, key: str, among: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield rows directly from the driver, without column types: those whose ``key`` is ``among`` these values."""
    marks = ", ".join("?" * len(among))
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE {key} IN ({marks})"  # noqa: S608 - our own names alone
    for row in connection.exec_driver_sql(query, tuple(among)):
        yield tuple(row)

"""What differs between SQLite and PostgreSQL, behind one set of names: statements, transactions and errors.

Capabilities write SQLAlchemy that runs on both. Where the two need different words, the words are here. Connections
and transactions of each are in ``sqlite`` and ``postgresql``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, Index, text
from sqlalchemy.dialects.postgresql import insert as insert  # noqa: PLC0414 - passed on: it has ON CONFLICT
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, OperationalError

from kswifi.database import postgresql, sqlite
from kswifi.kernel.disk_faults import DiskFault, fault_of

COUNTED_UP: Final[dict[str, Any]] = {"sqlite_autoincrement": True}
"""Table options: a generated key is never used again, even after its row was deleted."""

ONE_TREE: Final[dict[str, Any]] = {"sqlite_with_rowid": False}
"""Table options: rows are stored in the tree of their primary key."""


class DatabaseServer(Protocol):
    """Where the control plane is kept: a file of SQLite, or a database of a PostgreSQL server."""

    url: URL
    """What SQLAlchemy connects to."""

    name: str
    """For messages: the path, or the URL without its password."""

    restore_hint: str
    """What to do about damage."""

    reads_on_loop: bool

    def open_engine(self, *, read_only: bool, busy_seconds: float, connections: int) -> Engine:
        """Return an engine that begins its transactions explicitly; ``busy_seconds`` is how long BEGIN waits."""


def server_of(url: str | URL) -> DatabaseServer:
    """Return the server of a database URL.

    Raises:
        UnsupportedDatabaseError: the URL names another kind of database, or the driver is missing.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return postgresql.PostgresqlServer(parsed)
    return sqlite.SqliteServer(sqlite.file_of(parsed))


def is_postgresql(connection: Connection) -> bool:
    """Return whether the connection leads to PostgreSQL."""
    return connection.dialect.name == "postgresql"


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo the writes inside this context if it raises, and nothing else of the transaction.

    The driver sets the savepoint, because SQLAlchemy builds a new statement for each, which costs as much as a
    short step.
    """
    engine = postgresql if is_postgresql(connection) else sqlite
    with engine.savepoint(connection.connection.driver_connection):
        yield


def is_open(connection: Connection) -> bool:
    """Return whether the transaction still exists, that is, the database has not rolled it back itself."""
    if connection.invalidated:
        return False
    engine = postgresql if is_postgresql(connection) else sqlite
    open_: bool = engine.is_open(connection.connection.driver_connection)
    return open_


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
        if not connection.invalidated:
            driver: Any = connection.connection.driver_connection
            if is_postgresql(connection):
                postgresql.end_failed(connection, driver)
            elif driver.in_transaction:
                driver.rollback()
        raise


def is_locked(error: BaseException) -> bool:
    """Return whether an error means that another connection locks the database."""
    return isinstance(error, OperationalError) and (sqlite.is_locked(error) or postgresql.is_locked(error))


def can_run_again(error: BaseException) -> bool:
    """Return whether an error before COMMIT left nothing behind and may not come again: a lost connection."""
    return postgresql.can_run_again(error) if _from_postgresql(error) else False


def is_lost(error: BaseException) -> bool:
    """Return whether an error means that the connection to the database was lost."""
    return postgresql.is_lost(error) if _from_postgresql(error) else False


def disk_fault_in(error: DatabaseError, url: URL) -> DiskFault | None:
    """Return the fault of the database's disk that an error means; None if it means none."""
    if error.orig is None:
        return None
    if _from_postgresql(error):
        return DiskFault.FULL if postgresql.is_full(error) else None
    return fault_of(error.orig, sqlite.file_of(url).parent)


def damage_in(error: DatabaseError) -> str | None:
    """Return the database's message if an error means that its files are damaged; else None."""
    return postgresql.damage_in(error) if _from_postgresql(error) else sqlite.damage_in(error)


def fault_found(connection: Connection) -> str | None:
    """Return why the database cannot be used: damage, or properties that KSWiFi cannot work with; else None."""
    return postgresql.fault_found(connection) if is_postgresql(connection) else sqlite.fault_found(connection)


def trigger_names(connection: Connection) -> set[str]:
    """Return the names of the database's triggers."""
    return postgresql.trigger_names(connection) if is_postgresql(connection) else sqlite.trigger_names(connection)


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
    marks = ", ".join(_mark(connection) * len(columns))
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) "  # noqa: S608 - our own names alone
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(changes)}",
        list(rows),
    )


def update_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, key: str
) -> None:
    """Set columns of many rows as the driver takes them, without column types; each row ends with its key."""
    (mark,) = _mark(connection)
    changes = ", ".join(f"{it} = {mark}" for it in columns)
    connection.exec_driver_sql(f"UPDATE {table} SET {changes} WHERE {key} = {mark}", list(rows))  # noqa: S608 - our own names alone


def select_rows(
    connection: Connection, table: str, columns: Sequence[str], *, key: str, among: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield rows directly from the driver, without column types: those whose ``key`` is ``among`` these values."""
    if not among:
        return
    marks = ", ".join(_mark(connection) * len(among))
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE {key} IN ({marks})"  # noqa: S608 - our own names alone
    for row in connection.exec_driver_sql(query, tuple(among)):
        yield tuple(row)


def _mark(connection: Connection) -> tuple[str]:
    """Return the driver's placeholder of one value."""
    return ("%s",) if is_postgresql(connection) else ("?",)


def _from_postgresql(error: BaseException) -> bool:
    return type(getattr(error, "orig", None)).__module__.startswith("psycopg")

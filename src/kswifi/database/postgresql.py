"""PostgreSQL as the database: one writer at a time by an advisory lock, readers with snapshots of their own.

A writing transaction is READ COMMITTED and takes the advisory lock first. Its first statement after the lock sees
everything that earlier writers committed. REPEATABLE READ would not: its snapshot is taken by the statement that
waits for the lock, and is stale when the lock comes. Rules of the product that count across rows (budgets,
allowances, numbers of book entries, sequences of events) rely on one writer at a time.

A reading transaction is REPEATABLE READ READ ONLY, so all its statements see one snapshot.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from kswifi.database.errors import UnsupportedDatabaseError

WRITER_LOCK: Final = 0x4B53_5749_4649
"""The key of the advisory lock of the control plane's one writer: "KSWIFI" in ASCII."""

IDLE_SECONDS: Final = 10
"""The server ends a transaction whose process stands still for longer, so that it does not keep the lock."""

CONNECT_SECONDS: Final = 5
OLDEST_VERSION: Final = 140_000

_LOCK_NOT_AVAILABLE: Final = "55P03"
_DISK_FULL: Final = "53100"
_RUN_AGAIN: Final = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_CONNECTION_CLASS: Final = "08"
# admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout
_LOST: Final = frozenset({"57P01", "57P02", "57P03", "25P03"})
_DAMAGED: Final = frozenset({"XX001", "XX002"})  # data_corrupted, index_corrupted


class PostgresqlServer:
    """A database of a PostgreSQL server."""

    reads_on_loop = False
    """Reading waits for the network, so it never happens on the event loop."""

    def __init__(self, url: URL) -> None:
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise UnsupportedDatabaseError(
                f"KSWiFi uses PostgreSQL by psycopg: write postgresql://…, not {url.drivername}://…",
                dialect=url.drivername,
            )
        self.url = url.set(drivername="postgresql+psycopg")
        self.name = self.url.render_as_string(hide_password=True).replace("+psycopg", "")
        self.restore_hint = "Restore it by the means of PostgreSQL (a standby, or a backup with its WAL archive)."

    def open_engine(self, *, read_only: bool, busy_seconds: float, connections: int) -> Engine:
        """Return an engine; ``busy_seconds`` is how long a writing transaction waits for the writer's lock."""
        wait = f"-c lock_timeout={max(1, int(busy_seconds * 1000))}"
        idle = f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000}"
        try:
            engine = create_engine(
                self.url,
                pool_size=connections,
                max_overflow=0,
                isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
                # The row count of an INSERT tells whether ON CONFLICT DO NOTHING did nothing.
                execution_options={"preserve_rowcount": True, "postgresql_readonly": read_only},
                connect_args={
                    "connect_timeout": CONNECT_SECONDS,
                    "application_name": f"kswifi {'reader' if read_only else 'writer'}",
                    # An instant is never stored as a timestamp, but a session must not depend on the server's zone.
                    "options": f"{wait} {idle} -c TimeZone=UTC -c synchronous_commit=on",
                    "keepalives_idle": 5,
                    "keepalives_interval": 2,
                    "keepalives_count": 3,
                },
            )
        except ImportError as error:
            raise UnsupportedDatabaseError(
                "psycopg cannot load PostgreSQL's client library: install it (Debian: apt install libpq5)",
                dialect="postgresql",
            ) from error
        if not read_only:

            @event.listens_for(engine, "begin")
            def take_turn(connection: Connection) -> None:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

        return engine


@contextmanager
def savepoint(driver: Any) -> Iterator[None]:
    """Undo the writes inside this context if it raises, and nothing else of the transaction."""
    driver.execute("SAVEPOINT step")
    try:
        yield
    except BaseException:
        if is_open(driver):
            driver.execute("ROLLBACK TO SAVEPOINT step")
            driver.execute("RELEASE SAVEPOINT step")
        raise
    driver.execute("RELEASE SAVEPOINT step")


def is_open(driver: Any) -> bool:
    """Return whether the transaction still exists: the connection is there, and it was not rolled back."""
    from psycopg.pq import TransactionStatus  # noqa: PLC0415 - the driver is optional

    return not driver.closed and driver.info.transaction_status != TransactionStatus.IDLE


def end_failed(connection: Connection, driver: Any) -> None:
    """Roll back what a failed transaction left; give up a connection that was lost."""
    if is_open(driver):
        with suppress(Exception):
            driver.rollback()
    if driver.closed or driver.broken:
        connection.invalidate()


def is_locked(error: OperationalError) -> bool:
    """Return whether an error means that another writer kept the lock until the time limit."""
    return _state_of(error) == _LOCK_NOT_AVAILABLE


def can_run_again(error: BaseException) -> bool:
    """Return whether an error before COMMIT means that nothing was written and the steps may run again."""
    return isinstance(error, DBAPIError) and (_state_of(error) in _RUN_AGAIN or is_lost(error))


def is_lost(error: BaseException) -> bool:
    """Return whether an error means that the connection to the server was lost."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = _state_of(error)
    if state is None:  # from the driver: it could not send, or not receive
        return isinstance(error, OperationalError)
    return state[:2] == _CONNECTION_CLASS or state in _LOST


def is_full(error: DatabaseError) -> bool:
    """Return whether an error means that the server's disk is full."""
    return _state_of(error) == _DISK_FULL


def damage_in(error: DatabaseError) -> str | None:
    """Return the database's message if an error means that its files are damaged; else None."""
    return str(error.orig) if _state_of(error) in _DAMAGED else None


def fault_found(connection: Connection) -> str | None:
    """Return what makes this database unfit for KSWiFi; None if it is fit.

    Identifiers are compared as text, so the collation must order by octets, as SQLite does.
    """
    version = int(connection.execute(text("SELECT current_setting('server_version_num')")).scalar_one())
    if version < OLDEST_VERSION:
        return f"PostgreSQL {OLDEST_VERSION // 10_000} or later is needed"
    row = connection.execute(
        text("SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()")
    ).one()
    encoding, collation = str(row[0]), str(row[1])
    if encoding != "UTF8" or collation not in ("C", "POSIX", "C.UTF-8", "C.utf8"):
        return (
            f"its encoding is {encoding} and its collation {collation}; create it with "
            "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    return None


def trigger_names(connection: Connection) -> set[str]:
    """Return the names of the triggers of the connection's schema."""
    query = text(
        "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE NOT tgisinternal AND n.nspname = current_schema()"
    )
    return set(connection.execute(query).scalars())


def _state_of(error: DBAPIError) -> str | None:
    """Return the SQLSTATE of an error; None if it came from the driver, not from the server."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state

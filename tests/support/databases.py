"""A migrated database in a test's own folder, closed when the test is through with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.kernel.clock import Clock
from tests.support.clocks import ManualClock

START: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


_migrated: list[bytes] = []
"""The file of a database after its migrations, made once by each process of the tests."""


async def _migrated_file(folder: Path) -> bytes:
    if not _migrated:
        path = folder / "migrated.db"
        database = Database(sqlite_url(path))
        try:
            await migrate(database)
        finally:
            await database.close()  # the last connection moves the log into the file
        _migrated.append(path.read_bytes())
        path.unlink()
    return _migrated[0]


@asynccontextmanager
async def open_database(folder: Path, clock: Clock | None = None) -> AsyncIterator[Database]:
    """Give the database folder/control.db with all its tables; its clock stands at START unless given."""
    path = folder / "control.db"
    if not path.exists():
        path.write_bytes(await _migrated_file(folder))
    database = Database(sqlite_url(path), clock or ManualClock(START))
    try:
        yield database
    finally:
        await database.close()

"""A migrated database in a test's own folder, closed when the test is through with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.kernel.clock import Clock
from tests.support import postgresql
from tests.support.clocks import ManualClock

START: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


_migrated: list[bytes] = []
"""The file of a database after its migrations, made once by each process of the tests."""


async def _migrated_file(folder: Path) -> bytes:
    if not _migrated:
        path = folder / "migrated.db"
        await _migrate(sqlite_url(path))  # closing the last connection moves the log into the file
        _migrated.append(path.read_bytes())
        path.unlink()
    return _migrated[0]


async def _migrate(url: URL) -> None:
    database = Database(url)
    try:
        await migrate(database)
    finally:
        await database.close()


async def database_of(folder: Path) -> URL:
    """Return the URL of the folder's database, with all its tables: control.db, or one of the tests' server."""
    if postgresql.WANTED:
        url = postgresql.url_of_folder(folder)
        template = postgresql.database_url(postgresql.template_name())
        if postgresql.create_database(template):
            await _migrate(template)
        postgresql.create_database(url, template=template.database)
        return url
    path = folder / "control.db"
    if not path.exists():
        path.write_bytes(await _migrated_file(folder))
    return sqlite_url(path)


@asynccontextmanager
async def open_database(folder: Path, clock: Clock | None = None) -> AsyncIterator[Database]:
    """Give the folder's database with all its tables; its clock stands at START unless given."""
    database = Database(await database_of(folder), clock or ManualClock(START))
    try:
        yield database
    finally:
        await database.close()

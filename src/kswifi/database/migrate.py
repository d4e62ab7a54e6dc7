"""Migrates the database's tables to this version, at start, in one transaction."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from kswifi.database.engine import Database
from kswifi.database.errors import DatabaseNewerError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS: Final = Path(__file__).parent / "migrations"


async def migrate(database: Database) -> None:
    """Apply the missing migrations, all or none.

    Raises:
        DatabaseNewerError: the database has a revision that this version does not know.
        DatabaseDamagedError, DatabaseBusyError: as every transaction.
    """
    await database.write(lambda connection: _upgrade(connection, database.name), alone=True)


def newest_revision() -> str:
    """Return the revision of the newest migration, by the names of the files: each begins with its revision."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _is_up_to_date(connection: Connection) -> bool:
    """Return whether nothing is to be done, as at nearly every start, without Alembic."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    return connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [newest_revision()]


def _upgrade(connection: Connection, path: str) -> None:
    if _is_up_to_date(connection):
        return
    # Imported here, because importing Alembic (with Mako) takes longer than a small command takes to run.
    from alembic import command  # noqa: PLC0415 - lazily, see above
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = _config(connection)
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise DatabaseNewerError(
            f"the database {path} is at revision {current}, which a newer KSWiFi made: run that one",
            path=path,
            revision=current,
        )
    if current != script.get_current_head():
        command.upgrade(config, "head")


def _config(connection: Connection) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - lazily, as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config

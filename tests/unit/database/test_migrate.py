import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import kswifi
from kswifi.database.engine import Database, metadata, sqlite_url
from kswifi.database.errors import DatabaseNewerError
from kswifi.database.migrate import MIGRATIONS, migrate, newest_revision
from tests.support.databases import open_database

pytestmark = pytest.mark.sqlite  # tests/contract/test_databases.py has what holds for both


def _import_every_table() -> None:
    for module in pkgutil.walk_packages(kswifi.__path__, "kswifi."):
        if module.name.rpartition(".")[2] in ("sql", "kyc"):
            importlib.import_module(module.name)


def _shape(connection: Connection) -> dict[str, Any]:
    inspector = inspect(connection)

    def words(value: Any) -> str:
        return str({key: str(inner) for key, inner in value.items()}) if isinstance(value, dict) else str(value)

    def by_name(things: list[Any]) -> list[str]:
        return sorted(repr(sorted((key, words(value)) for key, value in thing.items())) for thing in things)

    return {
        table: {
            "columns": by_name(inspector.get_columns(table)),
            "key": str(inspector.get_pk_constraint(table)),
            "foreign": by_name(inspector.get_foreign_keys(table)),
            "unique": by_name(inspector.get_unique_constraints(table)),
            "checks": by_name(inspector.get_check_constraints(table)),
            "indexes": by_name(inspector.get_indexes(table)),
        }
        for table in inspector.get_table_names()
        if table not in ("alembic_version", "sqlite_sequence")
    }


def test_the_newest_migration_is_known_by_its_file() -> None:
    assert newest_revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


async def test_the_migrated_schema_is_the_metadata(tmp_path: Path) -> None:
    _import_every_table()
    (tmp_path / "direct").mkdir()

    database = Database(sqlite_url(tmp_path / "control.db"))
    await migrate(database)

    def look(connection: Connection) -> tuple[dict[str, Any], Any]:
        migrated = _shape(connection)
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        return migrated, differences

    migrated, differences = await database.read(look)
    await database.close()
    direct = Database(sqlite_url(tmp_path / "direct" / "control.db"))

    def change(connection: Connection) -> dict[str, Any]:
        metadata.create_all(connection)
        return _shape(connection)

    declared = await direct.write(change)
    await direct.close()
    assert {"outbox_entry", "domain_event", "user_account", "login_session"} <= set(migrated)
    assert migrated == declared
    assert differences == []


async def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await migrate(database)
        assert (
            await database.read(lambda connection: connection.scalar(text("SELECT count(*) FROM alembic_version")))
            == 1
        )


async def test_a_database_of_a_newer_version_is_refused_and_untouched(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await database.write(
            lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        )
        with pytest.raises(DatabaseNewerError, match="9999"):
            await migrate(database)
        assert (
            await database.read(
                lambda connection: connection.scalar(text("SELECT version_num FROM alembic_version"))
            )
            == "9999"
        )


async def test_a_migration_that_fails_leaves_no_half_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("alembic.op")
    real = module.create_index

    def failing(name: str, *args: Any, **options: Any) -> None:
        if name == "ix_login_session_user_id":
            raise RuntimeError("power cut")
        real(name, *args, **options)

    monkeypatch.setattr(module, "create_index", failing)

    database = Database(sqlite_url(tmp_path / "control.db"))
    try:
        with pytest.raises(RuntimeError, match="power cut"):
            await migrate(database)
        assert (
            await database.read(lambda connection: connection.execute(text("SELECT name FROM sqlite_master")).all())
            == []
        )
        monkeypatch.undo()
        await migrate(database)
    finally:
        await database.close()

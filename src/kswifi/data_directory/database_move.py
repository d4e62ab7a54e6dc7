"""Move the control plane from the file of SQLite to a PostgreSQL database, and compare both row by row.

The source is only read. All rows are written in one transaction of the target, so a move that fails leaves the
target empty and the source in use.
"""

import hashlib
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Table, func, insert, select, text

from kswifi.data_directory.layout import Installation
from kswifi.database.dialect import is_postgresql, server_of, transaction
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.kernel.errors import Refusal

MOVE_REFUSED = Refusal("move_refused", "The database cannot be moved.")

_ROWS_AT_ONCE: Final = 1_000
_NOT_COPIED: Final = frozenset({"alembic_version"})


async def move_to_postgresql(installation: Installation) -> Mapping[str, int]:
    """Copy every table of control.db into the empty database of ``installation``; return the rows of each table.

    The caller holds the installation's lock, so no server writes meanwhile. Both databases are migrated to this
    version first. Afterwards the file is called control.db.moved: a server that is started without
    KSWIFI_DATABASE_URL then misses it and refuses to start, instead of going on with old data.

    Raises:
        MOVE_REFUSED: there is no control.db, the target is not PostgreSQL or not empty, or a table differs after
            the copy.
    """
    if not installation.control_database.is_file():
        raise MOVE_REFUSED(f"there is no {installation.control_database}: nothing is to be moved")
    source, target = Database(sqlite_url(installation.control_database)), Database(installation.database_url)
    try:
        await source.check()
        await target.check()
        await migrate(source)
        await migrate(target)
        counts = await target.write(lambda into: _copy_everything(source, into), alone=True)
    finally:
        await source.close()
        await target.close()
    installation.control_database.rename(installation.control_database.with_suffix(".db.moved"))
    return counts


def _copy_everything(source: Database, into: Connection) -> dict[str, int]:
    if not is_postgresql(into):
        raise MOVE_REFUSED("KSWIFI_DATABASE_URL does not name a PostgreSQL database")
    engine = server_of(source.url).open_engine(read_only=True, busy_seconds=0, connections=1)
    with engine.connect() as out, transaction(out):
        theirs, ours = _tables(out), _tables(into)
        if missing := theirs.keys() ^ ours.keys():
            raise MOVE_REFUSED(f"the databases have different tables: {', '.join(sorted(missing))}")
        for table in ours.values():
            if into.execute(select(table).limit(1)).first() is not None:
                raise MOVE_REFUSED(f"the table {table.name} of the target is not empty")
        counts = {name: _copy(out, theirs[name], into, ours[name]) for name in _order(ours)}
        into.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        for name in counts:
            if _digest(out, theirs[name]) != _digest(into, ours[name]):
                raise MOVE_REFUSED(f"the table {name} differs after the copy; nothing was written")
        _go_on_counting(out, into, ours)
    engine.dispose()
    return counts


def _tables(connection: Connection) -> dict[str, Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return {name: table for name, table in metadata.tables.items() if name not in _NOT_COPIED}


def _order(tables: Mapping[str, Table]) -> list[str]:
    """Return the tables in an order that no foreign key and no trigger refuses.

    A referenced table comes first. Where the key is deferred (the lines of a book entry), the referenced table
    comes last, because its trigger sums up the lines.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(tables, ()))
    for name, table in tables.items():
        for key in table.foreign_key_constraints:
            other = key.referred_table.name
            if other == name:
                continue
            if key.deferrable:
                sorter.add(other, name)
            else:
                sorter.add(name, other)
    return list(sorter.static_order())


def _copy(out: Connection, theirs: Table, into: Connection, ours: Table) -> int:
    """Copy a table in the order of its key, which the trigger of the audit trail needs; return the rows."""
    rows = out.execute(select(theirs).order_by(*theirs.primary_key), execution_options={"yield_per": _ROWS_AT_ONCE})
    count = 0
    for some in rows.mappings().partitions():
        into.execute(insert(ours), [dict(row) for row in some])
        count += len(some)
    return count


def _digest(connection: Connection, table: Table) -> str:
    """Return a digest over all rows of a table, with the columns in the order of their names."""
    digest = hashlib.sha256()
    names = sorted(column.name for column in table.columns)
    query = select(*(table.c[name] for name in names)).order_by(*table.primary_key)
    for row in connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}):
        digest.update(repr([_plain(value) for value in row]).encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, (bytes, memoryview)) else value


def _go_on_counting(out: Connection, into: Connection, tables: Mapping[str, Table]) -> None:
    """Let generated keys go on after the highest ever used, also where its row was deleted."""
    used = {str(name): int(value) for name, value in out.execute(text("SELECT name, seq FROM sqlite_sequence"))}
    for name, table in tables.items():
        for column in table.primary_key:
            sequence = into.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"), _names(name, column.name)
            )
            if sequence is None:
                continue
            highest = max(used.get(name, 0), int(into.scalar(select(func.max(column))) or 0))
            if highest:
                into.execute(text("SELECT setval(:sequence, :value)"), {"sequence": sequence, "value": highest})


def _names(table: str, column: str) -> dict[str, str]:
    return {"table": f'"{table}"', "column": column}

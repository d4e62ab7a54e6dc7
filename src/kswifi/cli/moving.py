"""`kswifi move`: move an installation to another engine."""

import json
from typing import Annotated

import typer

from kswifi.cli.running import run_async

move_app = typer.Typer(help="Move an installation to another database.", no_args_is_help=True)


@move_app.callback()
def _group() -> None:
    """Keep the name of the sub-command, although there is one alone."""


@move_app.command("sqlite-to-postgresql")
def sqlite_to_postgresql(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line instead.")] = False,
) -> None:
    """Move accounts, sessions, payments and books from control.db to the database of KSWIFI_DATABASE_URL.

    The server must be stopped, and the database must be empty. Every row is compared after the copy. If anything
    differs, nothing is written. docs/postgresql.md says how to create the database.
    """
    from kswifi.data_directory.database_move import move_to_postgresql
    from kswifi.data_directory.layout import installation_of
    from kswifi.settings import load_settings

    installation = installation_of(load_settings()).open()
    try:
        counts = run_async(move_to_postgresql(installation))
    finally:
        installation.close()
    if as_json:
        print(json.dumps({"tables": len(counts), "rows": sum(counts.values()), "rows_of_table": counts}))
        return
    for name, rows in sorted(counts.items()):
        print(f"{name:32} {rows:>10}")
    print(
        f"{sum(counts.values())} rows of {len(counts)} tables are in PostgreSQL and equal. control.db is now "
        "control.db.moved: delete it once you have a backup. Start the server with KSWIFI_DATABASE_URL set."
    )

"""`kswifi books ...`: verify and export the operator's books, also while the server runs."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from kswifi.database.engine import Database

books_app = typer.Typer(help="The operator's money: a double-entry book that sums to zero.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]


class ExportFormat(StrEnum):
    """The formats of exported entries."""

    CSV = "csv"
    JSON_LINES = "jsonl"


NO_BOOKS_HERE = Refusal("no_books_here", "The data directory has no database.")


@books_app.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Check every entry, the numbering and the database's triggers; exit status 1 if anything is wrong."""
    from kswifi.books.verify import verify_book
    from kswifi.kernel.quantities import format_naira

    async def work() -> bool:
        async with _opened() as database:
            found = await database.read(verify_book)
        if as_json:
            shown = {str(account): amount for account, amount in found.balances.items()}
            print(json.dumps({"entries": found.entries, "balances_kobo": shown, "findings": list(found.findings)}))
        else:
            for account, amount in found.balances.items():
                print(f"  {account:22} {account.account_class:10} {format_naira(amount):>16}")
            print(f"{found.entries} entries; all accounts together: {format_naira(sum(found.balances.values()))}")
            for finding in found.findings:
                print(f"WRONG: {finding}")
        return not found.findings

    if not run_async(work()):
        raise SystemExit(1)


@books_app.command("export")
def export(
    file_format: Annotated[ExportFormat, typer.Option("--format", help="CSV, or JSON Lines.")] = ExportFormat.CSV,
    output: Annotated[Path | None, typer.Option(help="Where to; must not exist yet. Else it is printed.")] = None,
) -> None:
    """Export every entry. CSV has one row for each line of an entry."""
    from kswifi.books.export import export_csv, export_json_lines

    async def work() -> int:
        async with _opened() as database:
            with _writing(output) as out:
                if file_format is ExportFormat.CSV:
                    return await export_csv(database, out)
                return await export_json_lines(database, out)

    count = run_async(work())
    if output is not None:
        print(f"{count} entries written to {output}")


@asynccontextmanager
async def _opened() -> AsyncIterator["Database"]:
    from kswifi.data_directory.layout import installation_of
    from kswifi.database.engine import Database
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.has_database:
        raise NO_BOOKS_HERE(
            f"there is no {installation.control_database}: name the data directory by KSWIFI_DATA_DIR"
        )
    database = Database(installation.database_url)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with output.open("x", encoding="utf-8", newline="") as out:
        yield out

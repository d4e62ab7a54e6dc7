"""`kswifi cdr ...`: list and export charging data records, also while the server runs."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal
from kswifi.kernel.pasted import clean_digits

if TYPE_CHECKING:
    from kswifi.charging_records.service import RecordFilter
    from kswifi.database.engine import Database

cdr_app = typer.Typer(help="Charging data records: one for every ChargingSession.", no_args_is_help=True)

_DATES: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
OfImsi = Annotated[
    str | None, typer.Option("--imsi", help="Only of this subscriber.", parser=clean_digits, metavar="TEXT")
]
OfApn = Annotated[str | None, typer.Option("--apn", help="Only on this access point.")]
Since = Annotated[datetime | None, typer.Option(formats=_DATES, help="Open at this time (UTC) or later.")]
Until = Annotated[datetime | None, typer.Option(formats=_DATES, help="Opened before this time (UTC).")]
Closed = Annotated[bool | None, typer.Option("--closed/--open", help="Only those that ended, or that have not.")]


class ExportFormat(StrEnum):
    """The formats of exported records."""

    CSV = "csv"
    JSON_LINES = "jsonl"


NO_RECORDS_HERE = Refusal("no_records_here", "The data directory has no database.")


@cdr_app.command("list")
def list_records(
    imsi: OfImsi = None,
    apn: OfApn = None,
    since: Since = None,
    until: Until = None,
    closed: Closed = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List records in the order in which they were opened."""
    from kswifi.charging_records.export import record_fields
    from kswifi.charging_records.service import find_records
    from kswifi.kernel.quantities import format_octets

    async def work() -> None:
        async with _records() as database:
            async for record in find_records(database, _filter(imsi, apn, since, until, closed), limit):
                shown = record_fields(record)
                if as_json:
                    print(json.dumps(shown))
                else:
                    print(
                        f"{shown['opened_at']}  {record.imsi:15}  {record.apn or '-':12}  "
                        f"{format_octets(record.octets):>10}  {record.cause or 'open':12}  {record.session_id}"
                    )

    run_async(work())


@cdr_app.command("show")
def show_record(session_id: Annotated[str, typer.Argument(help="The Diameter Session-Id.")]) -> None:
    """Show one record with its hours, as JSON."""
    from kswifi.charging_records.export import hour_fields, record_fields
    from kswifi.charging_records.service import get_record

    async def work() -> None:
        async with _records() as database:
            record = await get_record(database, session_id)
        hours = [hour_fields(it) for it in record.hours.values()]
        print(json.dumps(record_fields(record) | {"hours": hours}, indent=2))

    run_async(work())


@cdr_app.command("export")
def export_records(
    file_format: Annotated[ExportFormat, typer.Option("--format", help="CSV, or JSON Lines.")] = ExportFormat.CSV,
    output: Annotated[Path | None, typer.Option(help="Where to; must not exist yet. Else it is printed.")] = None,
    hourly: Annotated[bool, typer.Option("--hourly", help="CSV: a line for each hour of a record.")] = False,
    imsi: OfImsi = None,
    apn: OfApn = None,
    since: Since = None,
    until: Until = None,
    closed: Closed = None,
) -> None:
    """Export records. JSON Lines always contain the hours of a record."""
    from kswifi.charging_records.export import export_csv, export_json_lines

    wanted = _filter(imsi, apn, since, until, closed)

    async def work() -> int:
        async with _records() as database:
            with _writing(output) as out:
                if file_format is ExportFormat.CSV:
                    return await export_csv(database, wanted, out, hourly=hourly)
                return await export_json_lines(database, wanted, out)

    count = run_async(work())
    if output is not None:
        print(f"{count} records written to {output}")


def _filter(
    imsi: str | None, apn: str | None, since: datetime | None, until: datetime | None, closed: bool | None
) -> "RecordFilter":
    from kswifi.charging_records.service import RecordFilter

    return RecordFilter(imsi=imsi, apn=apn, since=_utc(since), until=_utc(until), closed=closed)


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.replace(tzinfo=UTC)


@asynccontextmanager
async def _records() -> AsyncIterator["Database"]:
    from kswifi.data_directory.layout import installation_of
    from kswifi.database.engine import Database
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.has_database:
        raise NO_RECORDS_HERE(
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

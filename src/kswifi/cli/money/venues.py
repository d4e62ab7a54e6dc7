"""`kswifi venues ...`: the list of venues with free WiFi that the app shows, also while the server runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.money.budget import AsJson, open_control_database
from kswifi.cli.running import run_async

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.desk.venue_reports import VenueReport

venues_app = typer.Typer(
    help="Venues with free WiFi: the list in the app, also without a network.", no_args_is_help=True
)


@venues_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The venue, as its guests know it.")],
    area: Annotated[str, typer.Option(help="The part of the town, like: Yaba, Lagos.")],
    hours: Annotated[str, typer.Option(help="When it is open, like: daily 8 to 22.")],
) -> None:
    """Add a venue."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.venues import list_venue

    async def work() -> None:
        async with open_control_database() as database:
            added = await database.write(
                lambda connection: list_venue(connection, shell_operator(), name, area, hours)
            )
        print(f"venue {added.venue_id}: {added.name}, {added.area}, {added.hours}")

    run_async(work())


@venues_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the venues, ordered by area and name."""
    from kswifi.venues.service import venues

    async def work() -> None:
        async with open_control_database() as database:
            found = await database.read(venues)
        if as_json:
            print(json.dumps([asdict(one) for one in found]))
            return
        for one in found:
            print(f"  {one.venue_id:5}  {one.area:24}  {one.name:30}  {one.hours}")
        if not found:
            print("  no venues were added yet")

    run_async(work())


@venues_app.command("remove")
def remove(
    venue_id: Annotated[int, typer.Argument(min=1, help="The venue, as `kswifi venues list` numbers it.")],
) -> None:
    """Remove a venue."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.venues import unlist_venue

    async def work() -> None:
        async with open_control_database() as database:
            await database.write(lambda connection: unlist_venue(connection, shell_operator(), venue_id))
        print(f"venue {venue_id} is removed")

    run_async(work())


@venues_app.command("report")
def report(
    venue: Annotated[str, typer.Argument(help="The venue, as its vouchers name it.")],
    file: Annotated[Path, typer.Argument(help="Where to write, ending in .csv or .pdf; must not exist yet.")],
) -> None:
    """Write a venue's weekly report of the last twelve weeks into a file."""
    from kswifi.desk.errors import REPORT_LINK_INVALID
    from kswifi.desk.venue_reports import report_csv, report_of, report_pdf, require_venue
    from kswifi.kernel.clock import SystemClock
    from kswifi.kernel.local_days import local_day
    from kswifi.settings import load_settings

    settings = load_settings()
    if file.suffix not in (".csv", ".pdf"):
        raise typer.BadParameter("end it in .csv or .pdf", param_hint="FILE")

    async def work() -> bytes:
        async with open_control_database() as database:

            def look(connection: "Connection") -> "VenueReport":
                require_venue(connection, venue)
                return report_of(connection, venue, local_day(SystemClock().now(), settings.zone))

            found = await database.read(look)
        pdf = file.suffix == ".pdf"
        return report_pdf(found, settings.operator_name) if pdf else report_csv(found).encode()

    octets = run_async(work())
    try:
        with file.open("xb") as out:
            out.write(octets)
    except FileExistsError:
        raise REPORT_LINK_INVALID(f"{file} exists already") from None
    print(f"{file}: the weeks of {venue}")


@venues_app.command("report-link")
def report_link(
    venue: Annotated[str, typer.Argument(help="The venue, as its vouchers name it.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="So many days it is good for.")] = 90,
) -> None:
    """Print the signed addresses at which a venue reads its weekly report without an account."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.data_directory.layout import installation_of
    from kswifi.desk.venue_reports import ReportLinks
    from kswifi.free_data.pseudonyms import Marks
    from kswifi.settings import load_settings

    settings = load_settings()

    async def work() -> str:
        async with open_control_database() as database:
            links = ReportLinks(Marks(installation_of(settings).subscriber_key.read_bytes()).digest)
            return await database.write(lambda connection: links.make(connection, shell_operator(), venue, days))

    link = f"{settings.origin}/api/v1/venue-reports/{run_async(work())}"
    print(f"for {days} days, to everybody who has them:\n  {link}.pdf\n  {link}.csv")

"""`kswifi venues ...`: the list of venues with free WiFi that the app shows, also while the server runs."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from kswifi.cli.money.budget import AsJson, open_control_database
from kswifi.cli.running import run_async

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

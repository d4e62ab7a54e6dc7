"""`kswifi figures ...`: the figures of a day, of venues, their export, and computing them anew."""

from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.desk.opened import AsJson, print_json, read
from kswifi.cli.money.budget import open_control_database
from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal
from kswifi.kernel.quantities import format_naira, format_octets

if TYPE_CHECKING:
    from kswifi.desk.figures.model import Unit

figures_app = typer.Typer(help="Figures of the business, by local day.", no_args_is_help=True)

FIGURES_REFUSED = Refusal("figures_refused", "The days or the file cannot be used.")
_DAYS = 30
Days = Annotated[int, typer.Option(min=1, max=3_660, help="So many days, up to today.")]


class ExportFormat(StrEnum):
    """The formats of exported figures."""

    CSV = "csv"
    JSON = "json"


@figures_app.command("day")
def day(
    which: Annotated[str | None, typer.Argument(metavar="DATE", help="As 2026-11-30; else today.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the figures of one local day, by offer, budget, venue and reason too."""
    from kswifi.desk.figures.report import figures_between

    wanted = _today() if which is None else _date(which)
    found = read(lambda connection: figures_between(connection, wanted, wanted))
    if as_json:
        print_json({"day": wanted.isoformat(), "figures": found})
        return
    print(f"{wanted}")
    for it in found:
        print(f"  {it.name:14} {it.dimension:30} {_shown(it.value, it.unit):>16}")
    if not found:
        print("  there are no figures of this day")


@figures_app.command("venues")
def venues(days: Days = _DAYS, as_json: AsJson = False) -> None:
    """Show the figures of the venues; those of fewer than five redeemed vouchers are not shown."""
    from kswifi.desk.figures.report import venue_figures

    last = _today()
    found = read(lambda connection: venue_figures(connection, last - timedelta(days=days - 1), last))
    if as_json:
        print_json({"venues": found})
        return
    for it in found:
        if it.orders is None or it.activated is None or it.octets is None:
            print(f"  {it.venue:30} fewer than five redeemed vouchers")
            continue
        print(
            f"  {it.venue:30} {it.vouchers:6} vouchers {it.orders:6} orders {it.activated:6} activated "
            f"{format_octets(it.octets):>10}"
        )
    if not found:
        print("  no venue has redeemed vouchers")


@figures_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Where to write; must not exist yet.")],
    days: Days = _DAYS,
    form: Annotated[ExportFormat, typer.Option("--format", help="The format.")] = ExportFormat.CSV,
) -> None:
    """Write the figures of some days into a file."""
    from kswifi.cli.desk.opened import json_text
    from kswifi.desk.figures.report import as_csv, figures_between

    last = _today()
    found = read(lambda connection: figures_between(connection, last - timedelta(days=days - 1), last))
    text = as_csv(found) if form is ExportFormat.CSV else json_text({"figures": found})
    try:
        with file.open("x", encoding="utf-8", newline="") as out:
            out.write(text)
    except FileExistsError:
        raise FIGURES_REFUSED(f"{file} exists already") from None
    print(f"{file}: {len(found)} figures of {days} days")


@figures_app.command("rebuild")
def rebuild() -> None:
    """Compute the figures of all days anew from the journals; print how many differed."""
    from kswifi.desk.figures.projector import FigureProjector
    from kswifi.settings import load_settings

    async def work() -> int:
        async with open_control_database() as database:
            return await FigureProjector(database, load_settings().zone).rebuild()

    print(f"{run_async(work())} figures differed")


def _shown(value: int, unit: "Unit") -> str:
    match unit:
        case "octets":
            return format_octets(value)
        case "kobo":
            return format_naira(value)
        case _:
            return f"{value:,}"


def _today() -> date:
    from kswifi.kernel.clock import SystemClock
    from kswifi.kernel.local_days import local_day
    from kswifi.settings import load_settings

    return local_day(SystemClock().now(), load_settings().zone)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FIGURES_REFUSED("a day is written as 2026-11-30") from None

"""`kswifi budget ...` and `kswifi plan`: the budgets of free data; the server may run."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.running import run_async
from kswifi.free_data.model import KOBO_LIMIT, Budget, BudgetKind
from kswifi.kernel.errors import Refusal
from kswifi.kernel.quantities import format_naira, format_octets

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.database.engine import Database
    from kswifi.free_data.figures import Committed, FreeDataFigures
    from kswifi.free_data.plan import Plan
    from kswifi.free_data.rules import FreeDataRules

budget_app = typer.Typer(help="Budgets of free data, and its kill switch.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]
Kobo = Annotated[int | None, typer.Option(min=0, help="In kobo; left out, it stays as it is: none at first.")]
Why = Annotated[str, typer.Option("--reason", help="Why: the audit trail keeps it.")]
NOTHING_HERE = Refusal("nothing_here", "There is no database, or nobody of that name in it.")


@budget_app.command("show")
def show(as_json: AsJson = False) -> None:
    """Show budgets and ceilings, the committed amounts, and settings that leave the cost of free data unlimited."""
    from kswifi.free_data.figures import read_figures
    from kswifi.free_data.safeguards import missing_safeguards
    from kswifi.free_data.unlimited_cost_warnings import left_open
    from kswifi.settings import load_settings

    async def work() -> None:
        rules = load_settings().free_rules
        async with open_control_database() as database:
            figures = await database.read(lambda connection: read_figures(connection, database.clock.now(), rules))
        missing = (f"free data has not started: {it}" for it in missing_safeguards(rules, figures.budgets))
        warnings = (*missing, *left_open(rules, figures.budgets))
        print(json.dumps(_figures_json(figures, rules, warnings)) if as_json else _figures_text(figures, rules))
        for words in () if as_json else warnings:
            print(f"WARNING: {words}")

    run_async(work())


@budget_app.command("set")
def set_(
    name: Annotated[str, typer.Argument(min=1, help="Its name: lower case, stable.")],
    total_kobo: Annotated[int, typer.Option("--total-kobo", min=0, help="In all, what is spent included.")],
    kind: Annotated[BudgetKind, typer.Option(help="Whose money it is.")] = BudgetKind.OPERATOR,
    daily_kobo: Kobo = None,
    monthly_kobo: Kobo = None,
    without_ceilings: Annotated[bool, typer.Option("--without-ceilings", help="Lift its ceilings first.")] = False,
    reason: Why = "set at the server",
) -> None:
    """Create or change a budget; its total cannot be less than the reserved and spent amounts."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.budgets import change_budget
    from kswifi.free_data.budgets import budgets
    from kswifi.free_data.unlimited_cost_warnings import NO_COST
    from kswifi.settings import load_settings

    async def work() -> None:
        if not (1 <= len(name) <= 32 and name.isascii() and name == name.lower() and name.isprintable()):
            raise NOTHING_HERE("a budget's name has 1 to 32 lower-case ASCII characters")
        async with open_control_database() as database:

            def change(connection: "Connection") -> Budget:
                known = next((it for it in budgets(connection) if it.budget_id == name), None)
                kept = (None, None) if known is None or without_ceilings else (known.daily_kobo, known.monthly_kobo)
                ceilings = [
                    old if new is None else new for old, new in zip(kept, (daily_kobo, monthly_kobo), strict=True)
                ]
                daily, monthly = ceilings
                operator = shell_operator()
                return change_budget(connection, operator, name, kind, total_kobo, daily, monthly, reason)

            budget = await database.write(change)
        print(f"{name}: {format_naira(budget.total_kobo)}, of which {format_naira(budget.left_kobo)} are left")
        for period, kobo in (("day", budget.daily_kobo), ("month", budget.monthly_kobo)):
            print(f"  at most {'what is left' if kobo is None else format_naira(kobo)} a {period}")
        if not load_settings().free_cost_kobo_per_gb:
            print(f"WARNING: {NO_COST}")

    run_async(work())


@budget_app.command("deposit")
def deposit(
    name: Annotated[str, typer.Argument(help="The sponsor's or venue's budget.")],
    kobo: Annotated[int, typer.Option("--kobo", min=1, max=KOBO_LIMIT, help="How much has reached your bank.")],
    reference: Annotated[
        str, typer.Option("--reference", min=1, max=60, help="The bank's name of the transfer: booked once.")
    ],
) -> None:
    """Book a payment from a sponsor or a venue; `budget set` decides how much of it free data may use."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.budgets import book_deposit

    async def work() -> None:
        async with open_control_database() as database:
            number = await database.write(
                lambda connection: book_deposit(connection, shell_operator(), name, kobo, reference)
            )
        print(f"{name}: {format_naira(kobo)} paid in, entry {number} of the books")

    run_async(work())


@budget_app.command("stop")
def stop(
    words: Annotated[str, typer.Argument(help="The answer to people who ask for free data.")],
    reason: Why = "stopped at the server",
) -> None:
    """Stop all free data at once; sessions that were given stay usable."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.budgets import set_stopped

    async def work() -> None:
        async with open_control_database() as database:
            await database.write(lambda connection: set_stopped(connection, shell_operator(), words, reason))
        print("free data is stopped; `kswifi budget resume` gives it again")

    run_async(work())


@budget_app.command("resume")
def resume(reason: Why = "resumed at the server") -> None:
    """Allow free data again."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.budgets import set_stopped

    async def work() -> None:
        async with open_control_database() as database:
            await database.write(lambda connection: set_stopped(connection, shell_operator(), None, reason))
        print("free data is given again")

    run_async(work())


def _figures_json(
    figures: "FreeDataFigures", rules: "FreeDataRules", warnings: tuple[str, ...]
) -> dict[str, object]:
    in_all = figures.committed_in_all
    return {
        "budgets": [
            asdict(it) | {"left_kobo": it.left_kobo} | _period_kobo(figures.committed[it.budget_id])
            for it in figures.budgets
        ],
        **_period_kobo(in_all),
        "daily_kobo": rules.daily_kobo,
        "monthly_kobo": rules.monthly_kobo,
        "cost_kobo_per_gb": rules.cost_kobo_per_gb,
        "stopped": figures.stopped,
        "waiting": figures.waiting,
        "warnings": list(warnings),
    }


def _period_kobo(committed: "Committed") -> dict[str, int]:
    return {"today_kobo": committed.day_kobo, "month_kobo": committed.month_kobo}


def _figures_text(figures: "FreeDataFigures", rules: "FreeDataRules") -> str:
    lines = []
    for it in figures.budgets:
        lines.append(
            f"  {it.budget_id:20} {it.kind:9} total {format_naira(it.total_kobo):>14}  reserved "
            f"{format_naira(it.reserved_kobo):>12}  spent {format_naira(it.spent_kobo):>12}  left "
            f"{format_naira(it.left_kobo):>14}"
        )
        ceilings = _committed_text(figures.committed[it.budget_id], it.daily_kobo, it.monthly_kobo)
        lines.append(f"  {'':30} committed {ceilings}")
    if not figures.budgets:
        lines.append("  no budget is set: free data is limited by the ceilings alone")
    ceilings = _committed_text(figures.committed_in_all, rules.daily_kobo, rules.monthly_kobo)
    lines.append(f"committed in all {ceilings}; {figures.waiting} people wait")
    lines.append(f"a GB costs {format_naira(rules.cost_kobo_per_gb)}")
    if figures.stopped is not None:
        lines.append(f"STOPPED: {figures.stopped}")
    return "\n".join(lines)


def _committed_text(committed: "Committed", daily_kobo: int | None, monthly_kobo: int | None) -> str:
    said = []
    for when, kobo, ceiling in (
        ("today", committed.day_kobo, daily_kobo),
        ("this month", committed.month_kobo, monthly_kobo),
    ):
        said.append(f"{when} {format_naira(kobo)}" + ("" if ceiling is None else f" of {format_naira(ceiling)}"))
    return ", ".join(said)


def plan(
    users: Annotated[int | None, typer.Option(min=1, max=10**9, help="How many people order it.")] = None,
    free_gb: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Free GB for each of them in the month.")
    ] = None,
    cost_per_gb: Annotated[int | None, typer.Option(min=0, max=10**9, help="What a GB costs you, in kobo.")] = None,
    passes: Annotated[
        bool, typer.Option("--pass", help="Instead: what a pass brings and costs through data providers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Calculate the cost of a month of free data in advance; or with --pass, of a pass in resold mode.

    With --pass the exit status is 1 where no pass is sold.
    """
    from kswifi.cli.money.passes import plan_passes
    from kswifi.free_data.plan import octets_of, plan_month

    if passes:
        raise typer.Exit(plan_passes(as_json=as_json))
    if users is None or free_gb is None or cost_per_gb is None:
        raise typer.BadParameter("give --users, --free-gb and --cost-per-gb, or --pass")
    made = plan_month(users, octets_of(free_gb), cost_per_gb)
    print(json.dumps(asdict(made)) if as_json else plan_text(made))


def plan_text(made: "Plan") -> str:
    """Return a plan as a table."""
    lines = [
        (
            f"{made.users:,} users, {format_octets(made.free_octets)} free each, "
            f"{format_naira(made.cost_kobo_per_gb)} a GB"
        ),
        f"  one user at most          {format_naira(made.user_kobo):>18}",
        f"  reserved, all ordered     {format_naira(made.committed_kobo):>18}   the most that it can cost",
        (
            f"  a day of it               {format_naira(made.daily_kobo):>18}   KSWIFI_FREE_DAILY_KOBO="
            f"{made.daily_kobo}"
        ),
        "  if of each session is used     it costs             comes back",
    ]
    lines += [
        f"  {row.used_percent:>25} % {format_naira(row.spent_kobo):>16} {format_naira(row.given_back_kobo):>18}"
        for row in made.rows
    ]
    lines.append(
        "In 30 days, everybody ordering the whole allowance once; what is unspent comes back when a session ends."
    )
    return "\n".join(lines)


@asynccontextmanager
async def open_control_database() -> AsyncIterator["Database"]:
    """Open the database of the configured data directory; the server may run."""
    from kswifi.data_directory.layout import installation_of
    from kswifi.database.engine import Database
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.has_database:
        raise NOTHING_HERE(
            f"there is no {installation.control_database}: name the data directory by KSWIFI_DATA_DIR"
        )
    database = Database(installation.database_url)
    try:
        yield database
    finally:
        await database.close()

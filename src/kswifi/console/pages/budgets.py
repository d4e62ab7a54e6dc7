"""Budgets: what is left, who changed what; change a budget, stop and resume free data."""

from typing import Any, Final

from sqlalchemy import Connection, select
from starlette.responses import Response

from kswifi.console.errors import EXPORT_INVALID
from kswifi.console.visit import Page, Visit
from kswifi.desk.audit import Action
from kswifi.desk.budgets import change_budget, set_stopped
from kswifi.desk.roles import Permission
from kswifi.desk.sql import operator_action
from kswifi.free_data.figures import read_figures
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.safeguards import missing_safeguards
from kswifi.free_data.unlimited_cost_warnings import left_open

_CHANGES: Final = 30
_KOBO_DIGITS: Final = 15


async def _budgets(visit: Visit) -> Response:
    now, rules = visit.services.database.clock.now(), visit.services.rules

    def look(connection: Connection) -> dict[str, Any]:
        figures = read_figures(connection, now, rules)
        t = operator_action.c
        query = select(operator_action).where(t.command.like("budget %")).order_by(t.number.desc())
        changes = [Action(**row._asdict()) for row in connection.execute(query.limit(_CHANGES))]
        return {
            "figures": figures,
            "changes": changes,
            "missing": missing_safeguards(rules, figures.budgets),
            "warnings": left_open(rules, figures.budgets),
        }

    return visit.page("budgets.html", **await visit.read(look), kinds=[str(it) for it in BudgetKind])


async def _change(visit: Visit) -> Response:
    name = visit.field("budget")
    if not (1 <= len(name) <= 32 and name.isascii() and name == name.lower() and name.isprintable()):
        raise EXPORT_INVALID("a budget's name has 1 to 32 lower-case ASCII characters")
    kind = visit.field("kind")
    if kind not in list(BudgetKind):
        raise EXPORT_INVALID("choose whose money it is")
    amounts = [_kobo(visit, field) for field in ("total", "daily", "monthly")]
    if amounts[0] is None:
        raise EXPORT_INVALID("a budget has a total")
    total, daily, monthly = amounts[0], amounts[1], amounts[2]

    def change(connection: Connection) -> None:
        operator, reason = visit.member.operator, visit.field("reason")
        change_budget(connection, operator, name, BudgetKind(kind), total, daily, monthly, reason)

    await visit.write(change)
    return visit.to("/budgets", f"{name} is changed")


async def _stop(visit: Visit) -> Response:
    words = visit.field("words").strip() or None
    reason = visit.field("reason")
    await visit.write(lambda connection: set_stopped(connection, visit.member.operator, words, reason))
    return visit.to("/budgets", "Free data is given again" if words is None else "Free data is stopped")


def _kobo(visit: Visit, name: str) -> int | None:
    """Return an amount that was typed in naira, in kobo; None for an empty field."""
    text = visit.field(name).replace(",", "").strip()
    if not text:
        return None
    naira, _, kobo = text.partition(".")
    if not (naira + kobo).isascii() or not (naira + kobo).isdigit() or len(kobo) > 2 or len(naira) > _KOBO_DIGITS:
        raise EXPORT_INVALID("write an amount in naira, as 25000 or 25000.50")
    return int(naira) * 100 + int(kobo.ljust(2, "0") or 0)


PAGES: Final = (
    Page("GET", "/budgets", _budgets),
    Page("POST", "/budgets", _change, Permission.CHANGE_MONEY),
    Page("POST", "/budgets/stop", _stop, Permission.CHANGE_MONEY),
)

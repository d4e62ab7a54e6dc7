"""Figures of free data for metrics and operators: budgets, ceilings, the waiting list, and refusals."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from kswifi.free_data import budgets, waiting
from kswifi.free_data.errors import FreeOrderRefusedError
from kswifi.free_data.model import Budget
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_budget_day


def _no_refusals() -> Counter[str]:
    return Counter({rule.code: 0 for rule in FreeOrderRefusedError.__subclasses__()})


@dataclass(slots=True)
class FreeDataCounts:
    """The numbers of grants and refusals since the start of this process; no rule's counter is missing."""

    given: int = 0
    refusals: Counter[str] = field(default_factory=_no_refusals)


@dataclass(frozen=True, slots=True)
class Committed:
    """What the orders of this local day and month have committed, less returns; kobo."""

    day_kobo: int = 0
    month_kobo: int = 0


@dataclass(frozen=True, slots=True)
class FreeDataFigures:
    """The figures of free data at one moment. ``committed`` has every budget, also those without orders."""

    budgets: tuple[Budget, ...]
    committed: dict[str, Committed]
    committed_in_all: Committed
    waiting: int
    stopped: str | None
    """The operator's text while free data is stopped."""


def read_figures(connection: Connection, now: datetime, rules: FreeDataRules) -> FreeDataFigures:
    """Return the figures of free data."""
    found = budgets.budgets(connection)
    by_budget = _committed_by_budget(connection, budgets.local_day(now, rules.zone))
    in_all = by_budget.values()
    return FreeDataFigures(
        budgets=tuple(found),
        committed={it.budget_id: by_budget.get(it.budget_id, Committed()) for it in found},
        committed_in_all=Committed(sum(it.day_kobo for it in in_all), sum(it.month_kobo for it in in_all)),
        waiting=waiting.how_many(connection),
        stopped=budgets.stopped(connection),
    )


def _committed_by_budget(connection: Connection, day: str) -> dict[str, Committed]:
    t = free_budget_day.c
    of_day = func.sum(case((t.day == day, t.committed_kobo), else_=0))
    query = (
        select(t.budget_id, of_day.label("of_day"), func.sum(t.committed_kobo).label("of_month"))
        .where(t.day.between(f"{day[:7]}-01", f"{day[:7]}-31"))
        .group_by(t.budget_id)
    )
    return {row.budget_id: Committed(int(row.of_day), int(row.of_month)) for row in connection.execute(query)}

"""Budgets and ceilings of free data: a budget pays for each free session and never promises more than it has.

The cost is reserved in the order's own transaction, before anything is ordered. The database has one writer at a
time, so two concurrent orders cannot both reserve the last kobo. What an InternetSession does not use is returned
when it ends.
"""

from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, case, func, select, update
from sqlalchemy.engine import Row

from kswifi.database.dialect import insert
from kswifi.database.engine import transaction_instant
from kswifi.free_data.errors import BUDGET_INVALID, UNKNOWN_BUDGET, BudgetGoneError
from kswifi.free_data.model import KOBO_LIMIT, Budget, BudgetKind
from kswifi.free_data.rules import FreeDataRules, WhenBudgetGone
from kswifi.free_data.sql import free_budget, free_budget_day, free_stop
from kswifi.kernel.quantities import format_naira

BUDGETS_LIMIT: Final = 1_000
NO_BUDGET: Final = ""
_STOP: Final = "free_data"

_t = free_budget.c
_d = free_budget_day.c


def local_day(instant: datetime, zone: tzinfo) -> str:
    """Return the local day of an instant, in ISO 8601."""
    return instant.astimezone(zone).date().isoformat()


def budgets(connection: Connection) -> list[Budget]:
    """Return all budgets: the operator's first, then sponsors' and venues', each group by name."""
    order = (_t.kind != BudgetKind.OPERATOR, _t.kind, _t.budget_id)
    rows = connection.execute(select(free_budget).order_by(*order).limit(BUDGETS_LIMIT))
    return [_read(row) for row in rows]


def find_budget(connection: Connection, budget_id: str) -> Budget:
    """Return a budget.

    Raises:
        UNKNOWN_BUDGET: there is none of this name.
    """
    row = connection.execute(select(free_budget).where(_t.budget_id == budget_id)).one_or_none()
    if row is None:
        raise UNKNOWN_BUDGET(f"there is no budget {budget_id!r}", budget_id=budget_id)
    return _read(row)


def set_budget(
    connection: Connection,
    budget_id: str,
    kind: BudgetKind,
    total_kobo: int,
    daily_kobo: int | None = None,
    monthly_kobo: int | None = None,
) -> Budget:
    """Create or change a budget; return it. Amounts are kobo; None is no ceiling.

    Raises:
        BUDGET_INVALID: less than is reserved and spent already, another kind than it has, or no sensible sum.
    """
    for kobo in (total_kobo, daily_kobo, monthly_kobo):
        if kobo is not None and not 0 <= kobo <= KOBO_LIMIT:
            raise BUDGET_INVALID(f"a budget is between {format_naira(0)} and {format_naira(KOBO_LIMIT)}")
    row = connection.execute(select(free_budget).where(_t.budget_id == budget_id)).one_or_none()
    values: dict[str, Any] = {"total_kobo": total_kobo, "daily_kobo": daily_kobo, "monthly_kobo": monthly_kobo}
    if row is None:
        _require_room_for_one_more(connection)
        fresh = {"reserved_kobo": 0, "spent_kobo": 0, "alert_percent": 0}
        values |= {"budget_id": budget_id, "kind": kind, "created_at": transaction_instant(connection), **fresh}
        connection.execute(insert(free_budget).values(**values))
        return find_budget(connection, budget_id)
    budget = _read(row)
    if budget.kind is not kind:
        raise BUDGET_INVALID(f"{budget_id} is a budget of kind {budget.kind}", budget_id=budget_id)
    committed = budget.reserved_kobo + budget.spent_kobo
    if total_kobo < committed:
        raise BUDGET_INVALID(
            f"{format_naira(committed)} of {budget_id} are reserved or spent: it cannot be less",
            budget_id=budget_id,
            committed_kobo=committed,
        )
    connection.execute(update(free_budget).where(_t.budget_id == budget_id).values(**values))
    return find_budget(connection, budget_id)


def reserve(
    connection: Connection, cost_kobo: int, rules: FreeDataRules, venue_budget_id: str | None = None
) -> str | None:
    """Reserve the cost of a free InternetSession; return the budget that pays, None if no budget is set up.

    ``venue_budget_id`` is the budget of a voucher's venue, and only that one pays. Otherwise the operator's budget
    pays first, then the sponsors' in the order of their names.

    Raises:
        BudgetGoneError: no budget has enough left, today or this month; nothing is reserved.
    """
    now = transaction_instant(connection)
    paying = _paying(connection, cost_kobo, now, rules, venue_budget_id)
    if paying is not None:
        _move(connection, paying, reserved=cost_kobo, spent=0)
    _count_day(connection, paying, local_day(now, rules.zone), cost_kobo)
    return paying


def reserve_more(connection: Connection, budget_id: str | None, cost_kobo: int, rules: FreeDataRules) -> None:
    """Reserve further cost of a free InternetSession from the budget that pays for it; no effect if that is None.

    Raises:
        BudgetGoneError: the budget has not enough left, today or this month; nothing is reserved.
    """
    if budget_id is not None:
        reserve(connection, cost_kobo, rules, budget_id)
        return
    day = local_day(transaction_instant(connection), rules.zone)
    if not _within_ceilings(connection, cost_kobo, day, rules):
        raise BudgetGoneError("the money for free data is used up for now", do="wait")
    _count_day(connection, None, day, cost_kobo)


def recount(connection: Connection, budget_id: str | None, reserved_kobo: int, *, of_day: str, on_day: str) -> None:
    """Move a remaining reservation from the day ``of_day`` to ``on_day``, where returns are then counted too."""
    if of_day != on_day and reserved_kobo:
        _count_day(connection, budget_id, of_day, -reserved_kobo)
        _count_day(connection, budget_id, on_day, reserved_kobo)


def require_budget(
    connection: Connection,
    cost_kobo: int,
    now: datetime,
    rules: FreeDataRules,
    venue_budget_id: str | None = None,
) -> None:
    """Refuse as ``reserve`` does, without reserving."""
    _paying(connection, cost_kobo, now, rules, venue_budget_id)


def move(
    connection: Connection, budget_id: str | None, ordered_on: str, *, reserved_kobo: int, spent_kobo: int
) -> None:
    """Add these differences to a budget's reserved and spent kobo, and to the committed kobo of the order's day."""
    if budget_id is not None and (reserved_kobo or spent_kobo):
        _move(connection, budget_id, reserved=reserved_kobo, spent=spent_kobo)
    if reserved_kobo + spent_kobo:
        _count_day(connection, budget_id, ordered_on, reserved_kobo + spent_kobo)


def committed(connection: Connection, now: datetime, rules: FreeDataRules) -> tuple[int, int]:
    """Return what all budgets together have committed on this local day and in this month, in kobo."""
    return _committed(connection, local_day(now, rules.zone), None)


def stop(connection: Connection, words: str) -> None:
    """Stop all free data at once; users who ask for it see ``words``."""
    values = {"words": words, "at": transaction_instant(connection)}
    connection.execute(
        insert(free_stop).values(name=_STOP, **values).on_conflict_do_update(index_elements=["name"], set_=values)
    )


def resume(connection: Connection) -> None:
    """End the stop of free data."""
    connection.execute(free_stop.delete().where(free_stop.c.name == _STOP))


def stopped(connection: Connection) -> str | None:
    """Return the operator's text if free data is stopped, else None."""
    words: str | None = connection.scalar(select(free_stop.c.words).where(free_stop.c.name == _STOP))
    return words


def note_alert(connection: Connection, budget_id: str, percent: int) -> None:
    """Store the highest alert level that was reported."""
    connection.execute(update(free_budget).where(_t.budget_id == budget_id).values(alert_percent=percent))


def _paying(
    connection: Connection,
    cost_kobo: int,
    now: datetime,
    rules: FreeDataRules,
    venue_budget_id: str | None,
) -> str | None:
    day = local_day(now, rules.zone)
    if venue_budget_id is not None:
        candidates = [find_budget(connection, venue_budget_id)]
    else:
        candidates = [it for it in budgets(connection) if it.kind is not BudgetKind.VENUE]
    within_all = _within_ceilings(connection, cost_kobo, day, rules)
    if within_all and not candidates:
        return None
    for budget in candidates if within_all else ():
        on_day, in_month = _committed(connection, day, budget.budget_id)
        if (
            cost_kobo <= budget.left_kobo
            and _fits(on_day, cost_kobo, budget.daily_kobo)
            and _fits(in_month, cost_kobo, budget.monthly_kobo)
        ):
            return budget.budget_id
    # The waiting list announces money of the other budgets only: guests who need a venue's budget would wait in
    # vain.
    waiting = rules.when_budget_gone is WhenBudgetGone.WAITING_LIST and venue_budget_id is None
    raise BudgetGoneError(
        "the money for free data is used up for now"
        + (
            ": join the waiting list, and you get a message when there is some again"
            if waiting
            else ": try again later"
        ),
        do="join_waiting_list" if waiting else "wait",
    )


def _within_ceilings(connection: Connection, cost_kobo: int, day: str, rules: FreeDataRules) -> bool:
    """Return whether all budgets together may commit this cost on this day and in its month."""
    on_day, in_month = _committed(connection, day, None)
    return _fits(on_day, cost_kobo, rules.daily_kobo) and _fits(in_month, cost_kobo, rules.monthly_kobo)


def _committed(connection: Connection, day: str, budget_id: str | None) -> tuple[int, int]:
    """Return the kobo committed on a day and in its month, by one budget or by all."""
    amount = func.coalesce(func.sum(_d.committed_kobo), 0)
    of_budget = () if budget_id is None else (_d.budget_id == budget_id,)
    on_day = connection.scalar(select(amount).where(_d.day == day, *of_budget))
    in_month = connection.scalar(
        select(amount).where(_d.day >= f"{day[:7]}-01", _d.day <= f"{day[:7]}-31", *of_budget)
    )
    return int(on_day or 0), int(in_month or 0)


def _fits(committed_kobo: int, cost_kobo: int, ceiling_kobo: int | None) -> bool:
    return ceiling_kobo is None or committed_kobo + cost_kobo <= ceiling_kobo


def _move(connection: Connection, budget_id: str, *, reserved: int, spent: int) -> None:
    connection.execute(
        update(free_budget)
        .where(_t.budget_id == budget_id)
        .values(reserved_kobo=_t.reserved_kobo + reserved, spent_kobo=_t.spent_kobo + spent)
    )


def _count_day(connection: Connection, budget_id: str | None, day: str, kobo: int) -> None:
    if kobo < 0:
        # A return is normally counted on the day of its order. Only a network's refund of an earlier tranche
        # belongs to a day that is no longer stored; it is counted on this day, down to zero.
        place = (_d.day == day, _d.budget_id == (budget_id or NO_BUDGET))
        less = case((_d.committed_kobo + kobo > 0, _d.committed_kobo + kobo), else_=0)
        connection.execute(update(free_budget_day).where(*place).values(committed_kobo=less))
        return
    connection.execute(
        insert(free_budget_day)
        .values(day=day, budget_id=budget_id or NO_BUDGET, committed_kobo=kobo)
        .on_conflict_do_update(
            index_elements=["day", "budget_id"], set_={"committed_kobo": _d.committed_kobo + kobo}
        )
    )


def _require_room_for_one_more(connection: Connection) -> None:
    if int(connection.scalar(select(func.count()).select_from(free_budget)) or 0) >= BUDGETS_LIMIT:
        raise BUDGET_INVALID(f"there are {BUDGETS_LIMIT} budgets already")


def _read(row: Row[*tuple[Any, ...]]) -> Budget:
    return Budget(
        budget_id=row.budget_id,
        kind=BudgetKind(row.kind),
        total_kobo=row.total_kobo,
        reserved_kobo=row.reserved_kobo,
        spent_kobo=row.spent_kobo,
        daily_kobo=row.daily_kobo,
        monthly_kobo=row.monthly_kobo,
        alert_percent=row.alert_percent,
    )

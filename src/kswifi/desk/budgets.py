"""Budgets of free data, changed by the operator's staff with a trace of who changed what."""

from sqlalchemy import Connection

from kswifi.books.model import Account
from kswifi.books.service import post
from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import Facts, checked_reason, record
from kswifi.desk.roles import Operator, Permission
from kswifi.free_data import budgets
from kswifi.free_data.errors import BUDGET_INVALID
from kswifi.free_data.model import Budget, BudgetKind


def change_budget(
    connection: Connection,
    operator: Operator,
    budget_id: str,
    kind: BudgetKind,
    total_kobo: int,
    daily_kobo: int | None,
    monthly_kobo: int | None,
    reason: str,
) -> Budget:
    """Create or change a budget.

    Raises:
        BUDGET_INVALID: as ``set_budget``.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.CHANGE_MONEY)
    reason = checked_reason(reason)
    known = next((it for it in budgets.budgets(connection) if it.budget_id == budget_id), None)
    changed = budgets.set_budget(connection, budget_id, kind, total_kobo, daily_kobo, monthly_kobo)
    before = {} if known is None else _facts(known)
    record(connection, operator, "budget set", budget_id, reason=reason, before=before, after=_facts(changed))
    return changed


def set_stopped(connection: Connection, operator: Operator, words: str | None, reason: str) -> None:
    """Stop free data with the words that people read, or resume it with None.

    Raises:
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.CHANGE_MONEY)
    reason = checked_reason(reason)
    before = {"stopped": budgets.stopped(connection)}
    if words is None:
        budgets.resume(connection)
    else:
        budgets.stop(connection, words[:200])
    command = "budget resume" if words is None else "budget stop"
    record(connection, operator, command, "free data", reason=reason, before=before, after={"stopped": words})


def book_deposit(connection: Connection, operator: Operator, budget_id: str, kobo: int, reference: str) -> int:
    """Book a payment that a sponsor or a venue made into the operator's bank; return the number of the entry.

    The bank's ``reference`` is booked once: the same one again gives the same entry.

    Raises:
        BUDGET_INVALID: the budget is the operator's own.
        UNKNOWN_BUDGET, ROLE_MAY_NOT
    """
    operator.require(Permission.CHANGE_MONEY)
    if budgets.find_budget(connection, budget_id).kind is BudgetKind.OPERATOR:
        raise BUDGET_INVALID(f"{budget_id} is the operator's own: only sponsors and venues pay in")
    number = post(
        connection,
        reference=f"deposit:{budget_id}:{reference}",
        kind="deposit",
        lines=[(Account.CASH_AT_BANK, kobo), (Account.SPONSORS_DEPOSITS, -kobo)],
        at=transaction_instant(connection),
    )
    facts = {"kobo": kobo, "entry": number}
    record(connection, operator, "budget deposit", budget_id, reason=f"bank reference {reference}", after=facts)
    return number


def _facts(budget: Budget) -> Facts:
    return {
        "total_kobo": budget.total_kobo,
        "daily_kobo": budget.daily_kobo,
        "monthly_kobo": budget.monthly_kobo,
    }

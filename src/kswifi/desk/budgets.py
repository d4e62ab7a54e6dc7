"""Budgets of free data, changed by the operator's staff with a trace of who changed what."""

from sqlalchemy import Connection

from kswifi.desk.audit import Facts, checked_reason, record
from kswifi.desk.roles import Operator, Permission
from kswifi.free_data import budgets
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


def _facts(budget: Budget) -> Facts:
    return {
        "total_kobo": budget.total_kobo,
        "daily_kobo": budget.daily_kobo,
        "monthly_kobo": budget.monthly_kobo,
    }

"""Warnings at start about settings that leave the cost of free data unlimited."""

from collections.abc import Sequence
from typing import Final

from kswifi.free_data.model import Budget, BudgetKind
from kswifi.free_data.rules import FreeDataRules, Requirement

NO_COST: Final = (
    "the cost price of a free GB is 0: budgets and ceilings limit nothing until KSWIFI_FREE_COST_KOBO_PER_GB is set"
)
NO_LIMIT: Final = (
    "no ceiling is set, and no budget of yours or a sponsor's: nothing limits what free data costs in all "
    "(`kswifi budget set`, KSWIFI_FREE_MONTHLY_KOBO)"
)
ASKS_NOTHING: Final = (
    "KSWIFI_FREE_REQUIRES is nothing: anyone who makes up another address or number gets another allowance "
    "(phone, voucher and phone_or_voucher ask for more)"
)


def left_open(rules: FreeDataRules, budgets: Sequence[Budget]) -> tuple[str, ...]:
    """Return warnings, as texts for the operator, about missing limits of the cost of free data."""
    found = []
    if not rules.cost_kobo_per_gb:
        found.append(NO_COST)
    ceiling = rules.daily_kobo is not None or rules.monthly_kobo is not None
    # A venue's budget limits only its vouchers. If everybody needs a voucher, the printed sheets are the limit.
    limited = any(it.kind is not BudgetKind.VENUE for it in budgets) or rules.required is Requirement.VOUCHER
    if not ceiling and not limited:
        found.append(NO_LIMIT)
    if rules.required is Requirement.NOTHING and not rules.kyc_level:
        found.append(ASKS_NOTHING)
    return tuple(found)

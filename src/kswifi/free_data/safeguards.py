"""The safeguards without which no free data is given outside embedded mode. Pure."""

from collections.abc import Sequence
from typing import Final

from kswifi.free_data.model import Budget
from kswifi.free_data.rules import FreeDataRules, Requirement

NO_REQUIREMENT: Final = (
    "nothing is asked of a person: set KSWIFI_FREE_REQUIRES to phone, voucher or phone_or_voucher"
)
NO_DEVICE_LIMIT: Final = "one device has no limit: set KSWIFI_FREE_DEVICE_ALLOWANCE_OCTETS"
NO_CARD_LIMIT: Final = "one eUICC has no limit: set KSWIFI_FREE_CARD_ALLOWANCE_OCTETS"
NO_PRICE: Final = "a GB has no cost price: set KSWIFI_FREE_COST_KOBO_PER_GB"
NO_BUDGET: Final = "no budget pays: make one with `kswifi budget set`"
NO_CEILING: Final = (
    "nothing limits a day or a month: set KSWIFI_FREE_DAILY_KOBO or KSWIFI_FREE_MONTHLY_KOBO, "
    "or give each budget a ceiling"
)


def missing_safeguards(rules: FreeDataRules, budgets: Sequence[Budget]) -> tuple[str, ...]:
    """Return what is missing before free data starts, as texts for the operator; nothing if no rule asks for it.

    Asked for are a phone or a voucher, limits by device and by eUICC, and a priced budget with ceilings. Data
    providers' bundles have prices of their own.
    """
    if not rules.guarded:
        return ()
    found = []
    if rules.required is Requirement.NOTHING:
        found.append(NO_REQUIREMENT)
    if rules.device_allowance_octets is None:
        found.append(NO_DEVICE_LIMIT)
    if rules.card_allowance_octets is None:
        found.append(NO_CARD_LIMIT)
    if not rules.cost_kobo_per_gb and not rules.bundles_priced:
        found.append(NO_PRICE)
    if not budgets:
        found.append(NO_BUDGET)
    elif rules.daily_kobo is None and rules.monthly_kobo is None and not all(map(_has_ceiling, budgets)):
        found.append(NO_CEILING)
    return tuple(found)


def _has_ceiling(budget: Budget) -> bool:
    return budget.daily_kobo is not None or budget.monthly_kobo is not None

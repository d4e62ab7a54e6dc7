"""What a month of free data costs, before it does: pure arithmetic on an operator's assumptions."""

from dataclasses import dataclass

from kswifi.free_data.model import cost_of
from kswifi.kernel.quantities import GIGABYTE


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A month in which so much of what was ordered is used; kobo."""

    used_percent: int
    used_octets: int
    spent_kobo: int
    given_back_kobo: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a month may cost.

    ``committed_kobo`` is what is reserved if everybody orders their whole allowance: the budget and the monthly
    ceiling with which nobody is refused, and the most that the month can cost. ``daily_kobo`` spreads it evenly.
    """

    users: int
    free_octets: int
    cost_kobo_per_gb: int
    user_kobo: int
    committed_kobo: int
    daily_kobo: int
    rows: tuple[PlanRow, ...]


def plan_month(
    users: int,
    free_octets: int,
    cost_kobo_per_gb: int,
    used_percents: tuple[int, ...] = (100, 60, 30),
    days: int = 30,
) -> Plan:
    """Return the plan of a month in which every user orders all that is free for them, once."""
    user_kobo = cost_of(free_octets, cost_kobo_per_gb)
    committed_kobo = users * user_kobo
    rows = []
    for percent in used_percents:
        used_octets = free_octets * percent // 100
        spent_kobo = users * cost_of(used_octets, cost_kobo_per_gb)
        rows.append(PlanRow(percent, users * used_octets, spent_kobo, committed_kobo - spent_kobo))
    return Plan(
        users=users,
        free_octets=free_octets,
        cost_kobo_per_gb=cost_kobo_per_gb,
        user_kobo=user_kobo,
        committed_kobo=committed_kobo,
        daily_kobo=-(-committed_kobo // days),
        rows=tuple(rows),
    )


def octets_of(gigabytes: int) -> int:
    """Return gigabytes as octets."""
    return gigabytes * GIGABYTE

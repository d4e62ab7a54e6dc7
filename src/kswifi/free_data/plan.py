"""A plan of the monthly cost of free data: pure arithmetic on an operator's assumptions."""

from dataclasses import dataclass

from kswifi.free_data.model import cost_of
from kswifi.kernel.quantities import GIGABYTE


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A month in which ``used_percent`` of the ordered octets are used; amounts are kobo."""

    used_percent: int
    used_octets: int
    spent_kobo: int
    given_back_kobo: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The cost of a month.

    ``committed_kobo`` is reserved if all users order their whole allowance: it is the budget and monthly ceiling
    that refuse nobody, and the maximum cost of the month. ``daily_kobo`` is that amount spread evenly over the
    days.
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
    """Return the plan of a month in which every user orders the whole free allowance once."""
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

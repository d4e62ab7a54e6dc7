"""Money of free data: pure arithmetic in whole kobo."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from kswifi.kernel.quantities import GIGABYTE

KOBO_LIMIT: Final = 10**15
"""Of one budget; sums of thousands of them fit 64 bits."""


class BudgetKind(StrEnum):
    """Whose money it is. A venue's pays for its vouchers alone, the others' for every free order."""

    OPERATOR = "operator"
    SPONSOR = "sponsor"
    VENUE = "venue"


@dataclass(frozen=True, slots=True)
class Budget:
    """Money for free data, in kobo: always reserved + spent <= total."""

    budget_id: str
    kind: BudgetKind
    total_kobo: int
    reserved_kobo: int
    spent_kobo: int
    daily_kobo: int | None
    monthly_kobo: int | None
    alert_percent: int
    """The highest alert level that was told of."""

    @property
    def left_kobo(self) -> int:
        """What can still be reserved."""
        return self.total_kobo - self.reserved_kobo - self.spent_kobo

    @property
    def committed_percent(self) -> int:
        """How much of it is reserved or spent, rounded down; a budget of nothing is gone."""
        if self.total_kobo == 0:
            return 100
        return (self.reserved_kobo + self.spent_kobo) * 100 // self.total_kobo


@dataclass(frozen=True, slots=True)
class FreeGrant:
    """One free session as its payer sees it; it has the session's id.

    ``budget_id`` is None where no budget was set up when it was ordered. ``ended_at`` is None while it lives.
    ``released_octets`` of it may be used, and are paid for: all where ``tranche_octets`` is None. What is still
    reserved counts on the local day ``ordered_on``: that of the order, or of the last release.
    """

    session_id: str
    user_id: str
    octets: int
    used_octets: int
    released_octets: int
    tranche_octets: int | None
    cost_kobo_per_gb: int
    budget_id: str | None
    reserved_kobo: int
    spent_kobo: int
    ordered_on: str
    ended_at: datetime | None

    @property
    def withheld_octets(self) -> int:
        """What is not released yet."""
        return self.octets - self.released_octets

    @property
    def wants_release(self) -> bool:
        """Whether so much of the last tranche is used that the next one is due."""
        if self.tranche_octets is None or self.ended_at is not None or not self.withheld_octets:
            return False
        return self.used_octets >= self.released_octets - self.tranche_octets // 2


@dataclass(frozen=True, slots=True)
class Money:
    """How a grant stands: what is spent, and what it may still cost."""

    spent_kobo: int
    reserved_kobo: int

    @property
    def in_all_kobo(self) -> int:
        """The most that it costs in the end."""
        return self.spent_kobo + self.reserved_kobo


def cost_of(octets: int, kobo_per_gb: int) -> int:
    """Return what octets cost, in kobo, rounded up: a ceiling must not leak by fractions."""
    return -(-octets * kobo_per_gb // GIGABYTE)


def first_tranche(octets: int, tranche_octets: int | None) -> int:
    """Return how much of a grant is released with its order."""
    return octets if tranche_octets is None else min(octets, tranche_octets)


def first_cost_of(octets: int, tranche_octets: int | None, kobo_per_gb: int) -> int:
    """Return what has to be there in kobo for an order: the cost of what is released with it."""
    return cost_of(first_tranche(octets, tranche_octets), kobo_per_gb)


def released_next(grant: FreeGrant) -> int:
    """Return how much is released in all once the next tranche is: more than half of one is unused then."""
    if not grant.wants_release or grant.tranche_octets is None:
        return grant.released_octets
    return _released_at(grant.used_octets, grant.tranche_octets, grant.octets)


def next_release_at(used_octets: int, tranche_octets: int, octets: int) -> int | None:
    """Return the used octets at which another tranche is due, where each was released when it was due; None: never.

    Args:
        used_octets: what is used now.
        tranche_octets: the size of a tranche.
        octets: of the whole grant.
    """
    released = _released_at(used_octets, tranche_octets, octets)
    return None if released >= octets else released - tranche_octets // 2


def _released_at(used_octets: int, tranche_octets: int, octets: int) -> int:
    tranches = (used_octets + tranche_octets // 2) // tranche_octets + 1
    return min(octets, tranches * tranche_octets)


def money_of(grant: FreeGrant, used_octets: int, open_octets: int) -> Money:
    """Return what a grant has cost when so much was used, and what it may still cost by what is open.

    Never more than was reserved for it: what a friend has passed on to it was paid for elsewhere.
    """
    used = min(used_octets, grant.octets)
    most = min(used + open_octets, grant.octets)
    spent = cost_of(used, grant.cost_kobo_per_gb)
    return Money(spent, cost_of(most, grant.cost_kobo_per_gb) - spent)

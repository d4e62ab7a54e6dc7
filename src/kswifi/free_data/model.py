"""The cost of free data: pure arithmetic in whole kobo."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from kswifi.kernel.quantities import GIGABYTE

KOBO_LIMIT: Final = 10**15
"""The maximum of one budget in kobo; sums of thousands of budgets fit 64 bits."""


class BudgetKind(StrEnum):
    """The owner of a budget. A venue's budget pays only for its vouchers, the others for every free order."""

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
    """The highest alert level that was reported, in percent."""

    @property
    def left_kobo(self) -> int:
        """The kobo that can still be reserved."""
        return self.total_kobo - self.reserved_kobo - self.spent_kobo

    @property
    def committed_percent(self) -> int:
        """The percentage that is reserved or spent, rounded down; 100 for a budget with a total of zero."""
        if self.total_kobo == 0:
            return 100
        return (self.reserved_kobo + self.spent_kobo) * 100 // self.total_kobo


@dataclass(frozen=True, slots=True)
class FreeGrant:
    """One free InternetSession as its payer sees it; it has the session's id.

    ``budget_id`` is None if no budget was set up at the order. ``ended_at`` is None while the session lives.
    ``released_octets`` may be used and are paid for: all octets if ``tranche_octets`` is None. ``ordered_on`` is
    the local day on which the remaining reservation counts: that of the order, or of the last release.
    ``most_kobo`` is the most that a grant of received octets costs; None for all others.
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
    most_kobo: int | None
    ended_at: datetime | None
    bundle_kobo: int | None = None
    """The cost of the provider's bundles for it, reserved at the order; None where used octets are paid for."""

    @property
    def withheld_octets(self) -> int:
        """The octets that are not released yet."""
        return self.octets - self.released_octets

    @property
    def wants_release(self) -> bool:
        """Whether half of the last tranche is used, so that the next one is due."""
        if self.tranche_octets is None or self.ended_at is not None or not self.withheld_octets:
            return False
        return self.used_octets >= self.released_octets - self.tranche_octets // 2


@dataclass(frozen=True, slots=True)
class Money:
    """The spent kobo of a grant, and the kobo that are still reserved for it."""

    spent_kobo: int
    reserved_kobo: int

    @property
    def in_all_kobo(self) -> int:
        """The maximum final cost in kobo."""
        return self.spent_kobo + self.reserved_kobo


def cost_of(octets: int, kobo_per_gb: int) -> int:
    """Return the cost of octets in kobo, rounded up, so that fractions cannot exceed a ceiling."""
    return -(-octets * kobo_per_gb // GIGABYTE)


def first_tranche(octets: int, tranche_octets: int | None) -> int:
    """Return the octets of a grant that are released with its order."""
    return octets if tranche_octets is None else min(octets, tranche_octets)


def first_cost_of(octets: int, tranche_octets: int | None, kobo_per_gb: int) -> int:
    """Return the kobo that an order reserves: the cost of the first tranche."""
    return cost_of(first_tranche(octets, tranche_octets), kobo_per_gb)


def released_next(grant: FreeGrant) -> int:
    """Return the total of released octets after the next release: more than half a tranche is unused then."""
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
    """Return the spent kobo of a grant for its used octets, and the reserved kobo for its open octets.

    Never more than the kobo that came with the octets, if they were received from another grant.
    """
    if grant.bundle_kobo is not None:  # its bundles are paid for when they are bought, used or not
        return Money(grant.spent_kobo, grant.reserved_kobo)
    used = min(used_octets, grant.octets)
    most = min(used + open_octets, grant.octets)
    spent = _cost_in(grant, used)
    return Money(spent, _cost_in(grant, most) - spent)


def _cost_in(grant: FreeGrant, octets: int) -> int:
    kobo = cost_of(octets, grant.cost_kobo_per_gb)
    return kobo if grant.most_kobo is None else min(kobo, grant.most_kobo)

"""The names of the figures, the days that they belong to, and their dimensions. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from kswifi.kernel.local_days import day_start

DIMENSION_LIMIT: Final = 120
_REASON_LIMIT: Final = 60


class Unit(StrEnum):
    """What a figure counts."""

    COUNT = "count"
    OCTETS = "octets"
    KOBO = "kobo"


FIGURES: Final[dict[str, tuple[Unit, str]]] = {
    "sign_ups": (Unit.COUNT, "Accounts that were made"),
    "orders": (Unit.COUNT, "Sessions that were ordered"),
    "downloads": (Unit.COUNT, "Packages that phones hold as a whole"),
    "stored": (Unit.COUNT, "Sessions that cards have proved to hold"),
    "activated": (Unit.COUNT, "Sessions whose first octet was used"),
    "exhausted": (Unit.COUNT, "Sessions that were used up"),
    "expired": (Unit.COUNT, "Sessions whose validity ended"),
    "revoked": (Unit.COUNT, "Sessions that were taken back or ended by support"),
    "failures": (Unit.COUNT, "Sessions and transfers that failed, by reason"),
    "octets": (Unit.OCTETS, "Octets that networks delivered"),
    "active_1": (Unit.COUNT, "People who used octets on the day"),
    "active_7": (Unit.COUNT, "People who used octets in the 7 days up to the day"),
    "active_30": (Unit.COUNT, "People who used octets in the 30 days up to the day"),
    "vouchers": (Unit.COUNT, "Vouchers that were redeemed"),
    "revenue": (Unit.KOBO, "Revenue that was earned"),
    "sponsored": (Unit.KOBO, "Deposits of sponsors and venues that free data has used"),
    "cost": (Unit.KOBO, "Cost of the data that was used"),
    "cost_reserved": (Unit.KOBO, "What the orders of the day may cost, used or still open"),
    "refunds": (Unit.KOBO, "Money that went back to payers"),
    "fees": (Unit.KOBO, "Fees of payment gateways"),
}
"""Every figure with its unit and what it means."""

Cell = tuple[str, str, str]
"""Day, name and dimension."""


@dataclass(frozen=True, slots=True)
class Span:
    """A local day: its first instant, and the first instant after it."""

    day: str
    begins_at: datetime
    ends_at: datetime


@dataclass(slots=True)
class Sums:
    """Figures that are added up; the whole has the dimension ''."""

    values: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, day: str, name: str, value: int, dimensions: Iterable[str] = ()) -> None:
        """Add a value to a figure's whole and to each dimension."""
        for dimension in ("", *dimensions):
            self.values[day, name, dimension] += value


def span_of(day: date, zone: tzinfo) -> Span:
    """Return a local day's instants."""
    return Span(day.isoformat(), day_start(day, zone), day_start(day + timedelta(days=1), zone))


def days_between(first: date, last: date) -> list[date]:
    """Return all days from ``first`` to ``last``, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def dimensions_of(offer: str | None, budget: str | None, venue: str | None) -> list[str]:
    """Return the dimensions of something that belongs to an offer, a budget and a venue, where it does."""
    named = (("offer", offer), ("budget", budget), ("venue", venue))
    return [f"{kind}:{name}"[:DIMENSION_LIMIT] for kind, name in named if name is not None]


def reason_dimension(reason: str | None) -> str:
    """Return the dimension of a failure: its reason without numbers and ids, so that equal reasons are one."""
    words = " ".join(it for it in (reason or "unknown").split() if not any(sign.isdigit() for sign in it))
    return f"reason:{words[:_REASON_LIMIT]}"


def without_zeros(values: Mapping[Cell, int]) -> dict[Cell, int]:
    """Return the figures that are not zero: a figure that is not stored is zero."""
    return {cell: value for cell, value in values.items() if value}

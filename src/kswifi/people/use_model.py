"""A person's use of data: its periods, its pace, and how long what is left lasts at this pace. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from kswifi.esim.model import LineKind
from kswifi.kernel.local_days import day_start, local_day

PACE_WINDOW: Final = timedelta(days=7)
"""The time before an instant whose use is the pace at that instant."""

_DAY: Final = timedelta(days=1)
_DAY_SECONDS: Final = 86_400
_DAYS_OF_WEEK: Final = 7


class Period(StrEnum):
    """The periods by which use is added up."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class CountedBy(StrEnum):
    """Who counts the octets of a line."""

    NETWORK = "network"
    """Our network, to the octet, about a second after their use."""
    PROVIDER = "provider"
    """The data provider's counter, which comes late."""
    YOUR_NETWORK = "your_network"
    """The network of the line that the person has. Only the portions that were sent to it are known."""


COUNTED_BY: Final = {
    LineKind.CARD: CountedBy.NETWORK,
    LineKind.PROFILE: CountedBy.PROVIDER,
    LineKind.OWN_LINE: CountedBy.YOUR_NETWORK,
}


@dataclass(frozen=True, slots=True)
class HourUse:
    """The use of one hour (UTC); ``portion_octets`` of it are portions, sent to a line that counts itself."""

    starts_at: datetime
    octets: int
    uplink_octets: int
    downlink_octets: int
    portion_octets: int


@dataclass(frozen=True, slots=True)
class PeriodUse:
    """The use from ``starts_at`` until before ``ends_at``; see ``HourUse``."""

    starts_at: datetime
    ends_at: datetime
    octets: int
    uplink_octets: int
    downlink_octets: int
    portion_octets: int


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left of a stored session; ``octets`` is None for an uncapped one."""

    octets: int | None
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long the stored sessions last at a pace.

    Attributes:
        lasts_until: the instant at which nothing is left.
        used_up: True if the octets end then, False if the validity of the last session ends.
        lapsing_octets: the octets whose validity ends before they are used.
    """

    lasts_until: datetime
    used_up: bool
    lapsing_octets: int


def first_day(period: Period, instant: datetime, zone: tzinfo) -> date:
    """Return the local day on which the period of an instant begins; a week begins on Monday (ISO 8601)."""
    day = local_day(instant, zone)
    return day - timedelta(days=day.weekday()) if period is Period.WEEK else day


def bounds(period: Period, instant: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first instant of the period that an instant is in, and the first after it.

    An hour that a local midnight divides counts in the day in which it begins.
    """
    if period is Period.HOUR:
        begins = instant.replace(minute=0, second=0, microsecond=0)
        return begins, begins + timedelta(hours=1)
    day = first_day(period, instant, zone)
    days = _DAYS_OF_WEEK if period is Period.WEEK else 1
    return day_start(day, zone), day_start(day + timedelta(days=days), zone)


def by_period(period: Period, hours: Iterable[HourUse], zone: tzinfo) -> list[PeriodUse]:
    """Return the sums of the periods of some hours, in the order of the hours."""
    sums: dict[tuple[datetime, datetime], list[int]] = {}
    for it in hours:
        total = sums.setdefault(bounds(period, it.starts_at, zone), [0, 0, 0, 0])
        for place, octets in enumerate((it.octets, it.uplink_octets, it.downlink_octets, it.portion_octets)):
            total[place] += octets
    return [PeriodUse(*span, *total) for span, total in sums.items()]


def pace_of(hours: Sequence[HourUse], now: datetime) -> int | None:
    """Return the octets a day that counted lines used in the last seven days; None without use.

    After a first use that is less than seven days ago, the mean is over the days since then, and at least one.
    Portions are left out: when they are used is not known.
    """
    recent = [it for it in hours if it.starts_at >= now - PACE_WINDOW]
    octets = sum(it.octets - it.portion_octets for it in recent)
    if octets <= 0:
        return None
    used_before = len(recent) < len(hours)
    since = now - PACE_WINDOW if used_before else min(it.starts_at for it in recent)
    seconds = max(_DAY, now - since) // timedelta(seconds=1)
    return octets * _DAY_SECONDS // seconds


def forecast(pace_octets: int, left: Iterable[Remainder], now: datetime) -> Forecast | None:
    """Return how long sessions last if they are used one after the other at a pace; None without a session.

    The session whose validity ends first is used first.

    Args:
        pace_octets: octets a day, more than 0.
        left: the stored sessions.
        now: the instant from which on they are used.
    """
    at, used_up, lapsing, known = now, False, 0, False
    for it in sorted(left, key=lambda one: one.valid_until):
        if it.valid_until <= now:
            continue
        known = True
        room = max(0, (it.valid_until - at) // timedelta(seconds=1)) * pace_octets // _DAY_SECONDS
        if it.octets is not None and it.octets <= room:
            at, used_up = at + timedelta(seconds=-(-it.octets * _DAY_SECONDS // pace_octets)), True
            continue
        lapsing += 0 if it.octets is None else it.octets - room
        at, used_up = it.valid_until, False
    return Forecast(at, used_up, lapsing) if known else None

"""The rules of buying, counting and cutting off at a data provider. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from kswifi.supply.ports import BundleState, BundleUsage, Capabilities, ServiceStatus, Suspension

LOOK_SECONDS: Final = 6 * 3600
"""The longest time between two looks at a bundle that was used."""
IDLE_SECONDS: Final = 86_400
"""The longest time between two looks at a bundle that was never used."""
NEAR_SECONDS: Final = 60
"""The time between two looks at a bundle whose end is near; half of it passes before an end is seen."""
ROUTINE_SHARE: Final = 0.25
"""The part of a provider's request limit for regular looks at counters.

The rest is for purchases, switches and bundles whose end is near.
"""
_QUIET_PART: Final = 20
"""A bundle that nobody uses for a while is looked at again after this part of the time without use."""
_QUIET_SECONDS: Final = 600
"""The time without use after which the last rate says nothing any more."""
FIRST_LOOK_SECONDS: Final = 5
LONGEST_RETRY_SECONDS: Final = 900
"""The longest time between two attempts to cut off, or two looks at an order."""
ASK_AGAIN_AT: Final = (1, 3)
"""The looks that find nothing after which an order is sent again, to a provider that recognises our reference."""
_END_STATES: Final = (BundleState.DEPLETED, BundleState.EXPIRED, BundleState.REVOKED)


def back_off(attempts: int, first: float = FIRST_LOOK_SECONDS) -> timedelta:
    """Return the pause after so many attempts: it doubles up to ``LONGEST_RETRY_SECONDS``."""
    return timedelta(seconds=min(first * 2 ** min(max(0, attempts - 1), 20), LONGEST_RETRY_SECONDS))


def pace_seconds(capabilities: Capabilities, counters: int) -> float:
    """Return the time in which so many counters are looked at once each, within ``ROUTINE_SHARE`` of the limit."""
    lag = capabilities.usage_lag_seconds or 0
    lines_per_second = capabilities.requests_per_second * max(1, capabilities.lines_per_usage_call) * ROUTINE_SHARE
    return max(1.0, min(NEAR_SECONDS, lag), counters / lines_per_second)


@dataclass(frozen=True, slots=True)
class Absence:
    """How often, and since when, a provider had no order of an intent in a row."""

    looks: int = 0
    since: datetime | None = None

    def seen(self, at: datetime) -> "Absence":
        """Return the absence after one more such answer."""
        return Absence(self.looks + 1, self.since or at)

    def is_proof(self, capabilities: Capabilities, at: datetime) -> bool:
        """Return whether it proves that the order was not placed."""
        if self.since is None or self.looks < capabilities.absence_looks:
            return False
        return (at - self.since).total_seconds() >= capabilities.absence_seconds


@dataclass(frozen=True, slots=True)
class Counter:
    """The counter of a bundle as we keep it: it never falls, and an end is final.

    Attributes:
        used_octets: the greatest use that was reported.
        total_octets: the volume; None for a bundle without limit.
        state: as reported; the first end stays.
        as_of: the instant of the newest report.
        octets_per_second: the rate between the last two looks between which the use grew; None before.
        grew_at: when a look saw growth last, or a webhook reported use; None before.
    """

    used_octets: int = 0
    total_octets: int | None = None
    state: BundleState = BundleState.PROCESSING
    as_of: datetime | None = None
    octets_per_second: float | None = None
    grew_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the bundle carries no more data."""
        return self.state in _END_STATES

    @property
    def remaining_octets(self) -> int | None:
        """The unused octets; None for a bundle without limit."""
        return None if self.total_octets is None else max(0, self.total_octets - self.used_octets)

    def after(self, usage: BundleUsage, now: datetime) -> "Counter":
        """Return the counter after a report, which may be late, repeated, or lower than an earlier one."""
        total = self.total_octets if usage.total_octets is None else usage.total_octets
        used = self.used_octets
        if usage.total_octets is not None and usage.remaining_octets is not None:
            used = max(used, min(usage.total_octets, usage.total_octets - usage.remaining_octets))
        if usage.state is BundleState.DEPLETED and total is not None:
            used = max(used, total)
        newer = self.as_of is None or usage.as_of > self.as_of
        rate = self.octets_per_second
        if newer and self.as_of is not None and used > self.used_octets:
            rate = (used - self.used_octets) / (usage.as_of - self.as_of).total_seconds()
        state = self.state if self.is_over or not (newer or usage.state in _END_STATES) else usage.state
        as_of = usage.as_of if newer else self.as_of
        return Counter(used, total, state, as_of, rate, now if used > self.used_octets else self.grew_at)

    def next_look(
        self, capabilities: Capabilities, now: datetime, delivered_at: datetime, counters: int = 1
    ) -> datetime | None:
        """Return when to look at the bundle again; None if it is over or the provider reports no usage.

        A bundle in use is looked at when half of the rest could be used at the last rate, at the latest after
        ``pace_seconds``, at the earliest after ``NEAR_SECONDS``. The longer it is not used, the more rarely it is
        looked at: down to every six hours, or once a day if it was never used. The provider's lag delays what a
        look sees, but not the look: a longer pause would add to the lag.

        Args:
            capabilities: of the provider.
            now: the instant of this look.
            delivered_at: when the bundle was delivered.
            counters: how many counters of this provider are looked at.
        """
        if capabilities.usage_lag_seconds is None or self.is_over:
            return None
        pace = pace_seconds(capabilities, counters)
        quiet_seconds = (now - (self.grew_at or delivered_at)).total_seconds()
        remaining = self.remaining_octets
        if quiet_seconds > _QUIET_SECONDS:
            seconds = max(pace, quiet_seconds / _QUIET_PART)
        elif remaining is None or not self.octets_per_second:
            seconds = pace
        else:
            seconds = min(pace, max(pace_seconds(capabilities, 0), remaining / self.octets_per_second / 2))
        return now + timedelta(seconds=min(seconds, LOOK_SECONDS if self.used_octets else IDLE_SECONDS))


def spread(used_octets: int, volumes: Sequence[int]) -> list[int]:
    """Spread the use of a merged counter over its bundles in the order in which they were bought.

    The last bundle gets what exceeds them all.
    """
    shares: list[int] = []
    for place, volume in enumerate(volumes):
        share = used_octets if place == len(volumes) - 1 else min(used_octets, volume)
        shares.append(share)
        used_octets -= share
    return shares


@dataclass(frozen=True, slots=True)
class Service:
    """A line's data service: what we want, what the provider reported, and how often we asked since.

    Attributes:
        wants_on: whether the line shall carry data.
        used_up: whether it shall be off only because its bundle is used up: many providers end that by themselves.
        observed: the newest report; None before the first.
        attempts: switches and looks since the wish changed.
        wanted_since: when the wish changed.
    """

    wants_on: bool = True
    used_up: bool = False
    observed: ServiceStatus | None = None
    attempts: int = 0
    wanted_since: datetime | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the provider reported what we want: a used-up bundle is as good as off."""
        if self.wants_on:
            return self.observed in (ServiceStatus.ON, ServiceStatus.DEPLETED)
        return self.observed in (ServiceStatus.OFF, ServiceStatus.POLICY_OFF, ServiceStatus.DEPLETED)

    def wanted(self, *, on: bool, used_up: bool, at: datetime) -> "Service":
        """Return the service after a wish; the same wish again changes nothing."""
        if (on, used_up) == (self.wants_on, self.used_up):
            return self
        return Service(on, used_up, None, 0, at)

    def needs_switch(self, capabilities: Capabilities) -> bool:
        """Return whether to call the provider's switch now.

        A used-up bundle that the provider ends by itself is only looked at: suspending the line to trim a bundle of
        2^30 octets down to 10^9 would take octets away that were paid for.
        """
        ends_by_itself = self.used_up and capabilities.ends_bundle
        if self.is_confirmed or ends_by_itself or self.observed is ServiceStatus.POLICY_OFF:
            return False
        if capabilities.suspension is Suspension.NONE:
            return False
        return capabilities.suspension is Suspension.REVERSIBLE or not self.wants_on

    def after_look(self, observed: ServiceStatus) -> "Service":
        """Return the service after a report of the provider."""
        return replace(self, observed=observed, attempts=self.attempts + 1)

    def after_nothing(self) -> "Service":
        """Return the service after an attempt without a report."""
        return replace(self, attempts=self.attempts + 1)

    def next_try(self, at: datetime) -> datetime | None:
        """Return when to try again; None once the provider confirmed."""
        return None if self.is_confirmed else at + back_off(self.attempts, 2.0)

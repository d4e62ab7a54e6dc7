"""The rules of buying, counting and cutting off at a data provider. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from kswifi.supply.ports import BundleState, BundleUsage, Capabilities, ServiceStatus, Suspension

LOOK_SECONDS: Final = 6 * 3600
"""The longest time between two looks at a bundle that is in use."""
IDLE_SECONDS: Final = 86_400
"""The time between two looks at a bundle that is not used."""
FIRST_LOOK_SECONDS: Final = 5
LONGEST_RETRY_SECONDS: Final = 900
"""The longest time between two attempts to cut off, or two looks at an order."""
_QUIET_SECONDS: Final = 600
"""The time until the second look at a bundle that was used and is not used any more; it doubles from there."""
ASK_AGAIN_AT: Final = (1, 3)
"""The looks that find nothing after which an order is sent again, to a provider that recognises our reference."""
_END_STATES: Final = (BundleState.DEPLETED, BundleState.EXPIRED, BundleState.REVOKED)


def back_off(attempts: int, first: float = FIRST_LOOK_SECONDS) -> timedelta:
    """Return the pause after so many attempts: it doubles up to ``LONGEST_RETRY_SECONDS``."""
    return timedelta(seconds=min(first * 2 ** min(max(0, attempts - 1), 20), LONGEST_RETRY_SECONDS))


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
        octets_per_second: the rate between the last two reports that grew; None before.
    """

    used_octets: int = 0
    total_octets: int | None = None
    state: BundleState = BundleState.PROCESSING
    as_of: datetime | None = None
    octets_per_second: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the bundle carries no more data."""
        return self.state in _END_STATES

    @property
    def remaining_octets(self) -> int | None:
        """The unused octets; None for a bundle without limit."""
        return None if self.total_octets is None else max(0, self.total_octets - self.used_octets)

    def after(self, usage: BundleUsage) -> "Counter":
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
        elif newer and used == self.used_octets:
            # Nothing was used meanwhile: the next look comes later and later.
            rest = max(0, (total or used) - used)
            rate = rest / _QUIET_SECONDS / 2 if rate is None else rate / 2
        state = self.state if self.is_over or not (newer or usage.state in _END_STATES) else usage.state
        as_of = usage.as_of if newer else self.as_of
        return Counter(used, total, state, as_of, rate)

    def next_look(self, capabilities: Capabilities, now: datetime, delivered_at: datetime) -> datetime | None:
        """Return when to look at the bundle again; None if it is over or the provider reports no usage.

        A used bundle is looked at after the provider's lag, or when half of the rest could be used at the last
        rate, if that is later; at least every six hours. A bundle that nobody uses yet is looked at ever more
        rarely since its delivery, down to once a day.
        """
        lag = capabilities.usage_lag_seconds
        if lag is None or self.is_over:
            return None
        least = max(lag, 1.0)
        if not self.used_octets:
            unused_seconds = (now - delivered_at).total_seconds() / 2
            return now + timedelta(seconds=min(max(least, unused_seconds), IDLE_SECONDS))
        seconds = least
        remaining = self.remaining_octets
        if remaining is not None and self.octets_per_second:
            seconds = remaining / self.octets_per_second / 2
        return now + timedelta(seconds=min(max(least, seconds), LOOK_SECONDS))


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

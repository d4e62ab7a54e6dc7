"""Rate limits of attempts per account and per network address, in bounded memory.

A restart clears them. This is acceptable: they protect against guessing for hours, not against a few more attempts.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kswifi.accounts.errors import TooManyAttemptsError
from kswifi.kernel.network_addresses import IpNetwork, parse_customer_network

KEYS_LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A burst of ``attempts``, refilled evenly over ``period``."""

    attempts: int
    period: timedelta


class RateLimiter:
    """The generic cell rate algorithm: it stores one instant per key (ITU-T I.371, annex A)."""

    def __init__(self, rate: Rate) -> None:
        self._spacing = rate.period / rate.attempts
        self._tolerance = rate.period - self._spacing
        self._full_until: OrderedDict[str, datetime] = OrderedDict()

    def attempt(self, key: str, now: datetime) -> None:
        """Count one attempt.

        Raises:
            TooManyAttemptsError: it comes too early; it is not counted.
        """
        self.require_room(key, now)
        self._full_until[key] = max(self._full_until.get(key, now), now) + self._spacing
        self._full_until.move_to_end(key)
        if len(self._full_until) > KEYS_LIMIT:
            self._full_until.popitem(last=False)  # the key whose last attempt is the oldest

    def require_room(self, key: str, now: datetime) -> None:
        """Refuse an attempt that comes too early, without counting it.

        Raises:
            TooManyAttemptsError: it comes too early.
        """
        wait = max(self._full_until.get(key, now), now) - self._tolerance - now
        if wait > timedelta(0):
            seconds = -(-wait // timedelta(seconds=1))
            raise TooManyAttemptsError(
                f"too many attempts: try again in {seconds} seconds", retry_after_seconds=seconds
            )

    def forgive(self, key: str) -> None:
        """Clear the attempts of a key that has authenticated."""
        self._full_until.pop(key, None)


@dataclass(frozen=True, slots=True)
class Venues:
    """The networks of WiFi venues. All guests of a venue share one address.

    ``rate_factor`` multiplies the attempts that such an address may make.
    """

    networks: tuple[IpNetwork, ...] = ()
    rate_factor: int = 1

    def include(self, address: str) -> bool:
        """Return whether an address, or the /64 of an IPv6 customer, belongs to a venue."""
        customer = parse_customer_network(address)
        return customer is not None and any(
            network.version == customer.version and network.overlaps(customer) for network in self.networks
        )


NO_VENUES: Final = Venues()


class AddressLimiter:
    """Counts the attempts of network addresses: one rate for ordinary addresses, and a higher one for a venue's."""

    def __init__(self, rate: Rate, venues: Venues) -> None:
        self._venues = venues
        self._others = RateLimiter(rate)
        self._of_venues = RateLimiter(Rate(rate.attempts * venues.rate_factor, rate.period))

    def attempt(self, address: str, now: datetime) -> None:
        """Count one attempt of an address, in the form that ``customer_network`` returns.

        Raises:
            TooManyAttemptsError: it comes too early; it is not counted.
        """
        limiter = self._of_venues if self._venues.include(address) else self._others
        limiter.attempt(address, now)

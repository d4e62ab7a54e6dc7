"""Limits by address: a venue's guests share an address, and one customer has one bucket."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from kswifi.accounts.errors import TooManyAttemptsError
from kswifi.accounts.rates import AddressLimiter, Rate, Venues

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
VENUES = Venues((ip_network("192.0.2.0/24"), ip_network("2001:db8:1::/48"), ip_network("2001:db8:2::/72")), 3)


@pytest.mark.parametrize(
    ("address", "attempts"),
    [
        ("192.0.2.7", 6),
        ("192.0.3.7", 2),
        ("2001:db8:1:5::/64", 6),
        ("2001:db8:2::/64", 6),
        ("2001:db8:3::/64", 2),
        ("unknown", 2),
    ],
)
def test_an_address_of_a_venue_may_try_as_many_times_more_often(address: str, attempts: int) -> None:
    limiter = AddressLimiter(Rate(2, timedelta(hours=1)), VENUES)
    for _ in range(attempts):
        limiter.attempt(address, NOW)
    with pytest.raises(TooManyAttemptsError):
        limiter.attempt(address, NOW)
    limiter.attempt("192.0.2.200", NOW)  # each address has a bucket of its own
    limiter.attempt("198.51.100.1", NOW)
    limiter.attempt(address, NOW + timedelta(hours=1) / attempts)

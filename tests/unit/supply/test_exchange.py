"""Prices of providers in kobo."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.supply.exchange import ExchangeRates, kobo_per_gigabyte
from kswifi.supply.model import Money

RATES = ExchangeRates({"USD": 16_505_000}, date(2026, 12, 1), 5)


@given(cents=st.integers(0, 10**9), rate=st.integers(1, 10**9), margin=st.integers(0, 100))
def test_a_price_is_never_below_its_exact_value_and_less_than_a_kobo_above(
    cents: int, rate: int, margin: int
) -> None:
    exact = Fraction(cents * rate * (100 + margin), 10_000 * 100)
    kobo = ExchangeRates({"USD": rate}, None, margin).kobo(Money(cents, "USD"))
    assert kobo is not None
    assert exact <= kobo < exact + 1


def test_known_prices() -> None:
    assert RATES.kobo(Money(100, "USD")) == 173_303  # 1 dollar: 1650.50 naira and 5 %, rounded up
    assert RATES.kobo(Money(80_000, "NGN")) == 80_000
    assert RATES.kobo(Money(100, "EUR")) is None


def test_rates_are_old_after_a_day() -> None:
    assert not RATES.is_old(date(2026, 12, 2))
    assert RATES.is_old(date(2026, 12, 3))
    assert ExchangeRates({"USD": 1}).is_old(date(2026, 12, 1))
    assert not ExchangeRates({}).is_old(date(2026, 12, 1))


def test_the_price_of_a_gigabyte() -> None:
    assert kobo_per_gigabyte(100_000, 1_500_000_000) == 66_667
    with pytest.raises(ValueError, match="octets"):
        kobo_per_gigabyte(1, 0)

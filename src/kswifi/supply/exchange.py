"""Convert a provider's prices into kobo, by dated rates that the operator sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from kswifi.supply.model import Money

NAIRA: Final = "NGN"
RATE_SCALE: Final = 10_000
"""Rates are integers: naira for one unit of a currency, times ten thousand."""
_OLD_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """The rates of one day.

    Attributes:
        rates: for each currency (ISO 4217), the naira for one unit, times ``RATE_SCALE``.
        dated: the day of the rates; None if there are none.
        margin_percent: what is added to each converted price, because the rate moves before the money is spent.
    """

    rates: Mapping[str, int]
    dated: date | None = None
    margin_percent: int = 0

    def kobo(self, amount: Money) -> int | None:
        """Return an amount in kobo with the margin, rounded up; None without a rate. Naira have no margin.

        Every currency here has two decimals, so minor units times naira for one unit are kobo.
        """
        if amount.currency == NAIRA:
            return amount.amount_minor
        rate = self.rates.get(amount.currency)
        if rate is None:
            return None
        return -(-amount.amount_minor * rate * (100 + self.margin_percent) // (RATE_SCALE * 100))

    def is_old(self, today: date) -> bool:
        """Return whether there are rates that are more than a day old."""
        return bool(self.rates) and (self.dated is None or today - self.dated > _OLD_AFTER)


def kobo_per_gigabyte(kobo: int, octets: int) -> int:
    """Return the price of 10^9 octets, rounded up.

    Raises:
        ValueError: there are no octets.
    """
    if octets <= 0:
        raise ValueError("a price per gigabyte needs octets")
    return -(-kobo * 10**9 // octets)

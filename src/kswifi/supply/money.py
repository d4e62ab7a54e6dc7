"""Prices in a provider's currency, in kobo at a dated rate, and the entries of the book. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

from kswifi.books.model import Account, Line
from kswifi.supply.errors import NoExchangeRateError
from kswifi.supply.model import Money

NAIRA: Final = "NGN"
RATE_LIFE: Final = timedelta(days=1)
"""The age at which an exchange rate is reported as old."""
PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """The price of one unit of a currency in naira on a day, as the operator set it."""

    currency: str
    naira: Decimal
    day: date

    def is_old(self, at: datetime) -> bool:
        """Return whether it is more than a day old."""
        return at.date() - self.day > RATE_LIFE


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """The operator's rates, and the margin in percent by which they are raised for what is reserved."""

    rates: Mapping[str, ExchangeRate]
    margin_percent: int = 0

    def kobo(self, price: Money) -> int:
        """Return the cost in kobo at the rate of the day, rounded up.

        Raises:
            NoExchangeRateError: there is no rate of this currency.
        """
        if price.currency == NAIRA:
            return price.amount_minor
        return _rounded(Decimal(price.amount_minor) * self._rate(price.currency).naira)

    def kobo_with_margin(self, price: Money) -> int:
        """Return the cost to reserve: at the rate of the day and the margin, rounded up.

        Raises:
            NoExchangeRateError: there is no rate of this currency.
        """
        if price.currency == NAIRA:
            return price.amount_minor
        return _rounded(Decimal(self.kobo(price)) * (PERCENT + self.margin_percent) / PERCENT)

    def old(self, at: datetime) -> list[str]:
        """Return the currencies whose rate is more than a day old."""
        return sorted(rate.currency for rate in self.rates.values() if rate.is_old(at))

    def _rate(self, currency: str) -> ExchangeRate:
        found = self.rates.get(currency)
        if found is None:
            raise NoExchangeRateError(
                f"no exchange rate of {currency} is set: KSWIFI_EXCHANGE_RATES", currency=currency
            )
        return found


def _rounded(kobo: Decimal) -> int:
    return int(kobo.to_integral_value(ROUND_CEILING))


def purchase_lines(cost_kobo: int) -> list[Line]:
    """Return the entry of a confirmed purchase: the prepaid money became data."""
    return [(Account.COST_OF_DATA, cost_kobo), (Account.PREPAID_AT_PROVIDER, -cost_kobo)]


def refund_lines(cost_kobo: int) -> list[Line]:
    """Return the entry of a confirmed refund: the opposite of the purchase."""
    return [(account, -kobo) for account, kobo in purchase_lines(cost_kobo)]


def deposit_lines(paid_kobo: int, worth_kobo: int) -> list[Line]:
    """Return the entry of money paid in at a provider.

    Args:
        paid_kobo: what left the operator's bank.
        worth_kobo: the amount that the provider credited, at the rate of the day.
    """
    lines: list[Line] = [(Account.PREPAID_AT_PROVIDER, worth_kobo), (Account.CASH_AT_BANK, -paid_kobo)]
    difference = paid_kobo - worth_kobo
    return [*lines, (Account.EXCHANGE_DIFFERENCE, difference)] if difference else lines

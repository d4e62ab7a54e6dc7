"""The cost of bundles in kobo, and the entries of the book. Pure."""

from dataclasses import replace

from kswifi.books.model import Account, Line
from kswifi.supply.errors import NoExchangeRateError
from kswifi.supply.exchange import ExchangeRates
from kswifi.supply.model import Money


def reserve_kobo(rates: ExchangeRates, price: Money) -> int:
    """Return what to reserve for a price: at the rate of the day with the margin, rounded up.

    Raises:
        NoExchangeRateError: there is no rate of its currency.
    """
    kobo = rates.kobo(price)
    if kobo is None:
        raise NoExchangeRateError(
            f"no exchange rate of {price.currency} is set: KSWIFI_FX_RATES", currency=price.currency
        )
    return kobo


def cost_kobo(rates: ExchangeRates, price: Money) -> int:
    """Return the cost of a price at the rate of the day, without the margin; raises as ``reserve_kobo``."""
    return reserve_kobo(replace(rates, margin_percent=0), price)


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

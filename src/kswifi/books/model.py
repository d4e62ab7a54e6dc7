"""Accounts and entries: the chart of accounts, and the rule that an entry sums to zero."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from kswifi.books.errors import UnbalancedEntryError

LINES_LIMIT: Final = 20
AMOUNT_LIMIT_KOBO: Final = 10**15
"""Ten trillion naira, in kobo: a larger amount is a mistake. It is far below the limit of 64 bits."""

REFERENCE_LIMIT: Final = 120
KIND_LIMIT: Final = 40


class AccountClass(StrEnum):
    """The class of an account: assets and expenses grow by debits (plus), the others by credits (minus)."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class Account(StrEnum):
    """The chart of accounts. Plus is a debit, minus is a credit, in kobo."""

    CASH_AT_GATEWAY = "cash_at_gateway"
    """Money that payment gateways hold for us and have not paid out."""
    CASH_AT_BANK = "cash_at_bank"
    """Money on the operator's own account: sponsors' deposits, payouts of gateways."""
    PREPAID_AT_PROVIDER = "prepaid_at_provider"
    """Money that data providers hold for us, which bundles will use up; in kobo at the rate of the day."""
    DEFERRED_REVENUE = "deferred_revenue"
    """Paid for but not yet delivered: the remaining days of passes."""
    REFUNDS_OWED = "refunds_owed"
    """Owed to a payer as a refund; the gateway has not confirmed that it was sent."""
    UNASSIGNED_RECEIPTS = "unassigned_receipts"
    """Money that buys nothing: a wrong amount, or a payment after its end."""
    SPONSORS_DEPOSITS = "sponsors_deposits"
    """Money that sponsors and venues have paid in and free data has not yet used."""
    OWED_FOR_DATA = "owed_for_data"
    """The debt to the networks that carried free and paid octets."""
    EARNED_REVENUE = "earned_revenue"
    """Revenue of the days of passes that have been delivered."""
    SPONSORED_REVENUE = "sponsored_revenue"
    """Sponsors' deposits that free data has used."""
    REFUNDS = "refunds"
    """Income that was returned after it had been earned."""
    GATEWAY_FEES = "gateway_fees"
    COST_OF_DATA = "cost_of_data"
    EXCHANGE_DIFFERENCE = "exchange_difference"
    """What the change of exchange rates cost, between the payment to a data provider and its use."""

    @property
    def account_class(self) -> AccountClass:
        """The class of this account."""
        return _CLASSES[self]


_CLASSES: Final = {
    Account.CASH_AT_GATEWAY: AccountClass.ASSET,
    Account.CASH_AT_BANK: AccountClass.ASSET,
    Account.PREPAID_AT_PROVIDER: AccountClass.ASSET,
    Account.DEFERRED_REVENUE: AccountClass.LIABILITY,
    Account.REFUNDS_OWED: AccountClass.LIABILITY,
    Account.UNASSIGNED_RECEIPTS: AccountClass.LIABILITY,
    Account.SPONSORS_DEPOSITS: AccountClass.LIABILITY,
    Account.OWED_FOR_DATA: AccountClass.LIABILITY,
    Account.EARNED_REVENUE: AccountClass.INCOME,
    Account.SPONSORED_REVENUE: AccountClass.INCOME,
    Account.REFUNDS: AccountClass.INCOME,
    Account.GATEWAY_FEES: AccountClass.EXPENSE,
    Account.COST_OF_DATA: AccountClass.EXPENSE,
    Account.EXCHANGE_DIFFERENCE: AccountClass.EXPENSE,
}

Line = tuple[Account, int]
"""An account and its amount in kobo: plus is a debit, minus is a credit."""


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One entry. Numbers have no gaps and follow the order of writing.

    ``at`` is when the booked event happened; ``recorded_at`` is when the entry was written.
    """

    number: int
    reference: str
    kind: str
    at: datetime
    recorded_at: datetime
    lines: tuple[Line, ...]


def checked_lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines in canonical order, each account at most once, if they make a valid entry.

    Raises:
        UnbalancedEntryError: they do not sum to zero, are fewer than two or too many, or contain an amount of zero.
        TypeError: an amount is not an int.
    """
    sums: dict[Account, int] = {}
    for account, amount_kobo in lines:
        if type(amount_kobo) is not int:
            raise TypeError(f"{amount_kobo!r} is no whole number of kobo")
        sums[Account(account)] = sums.get(Account(account), 0) + amount_kobo
    kept = tuple(sorted((account, amount) for account, amount in sums.items() if amount))
    total = sum(amount for _, amount in kept)
    if total:
        raise UnbalancedEntryError(f"the lines of an entry sum to zero, not to {total} kobo", sum_kobo=total)
    if not 2 <= len(kept) <= LINES_LIMIT or any(abs(amount) > AMOUNT_LIMIT_KOBO for _, amount in kept):
        raise UnbalancedEntryError(f"an entry moves an amount between accounts; this has {len(kept)} lines")
    return kept

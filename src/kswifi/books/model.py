"""Accounts and entries: a plain chart of accounts, and the one rule that an entry sums to zero."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from kswifi.books.errors import UnbalancedEntryError

LINES_LIMIT: Final = 20
AMOUNT_LIMIT_KOBO: Final = 10**15
"""Ten trillion naira: beyond it an amount is a mistake, and far below where 64 bits end."""

REFERENCE_LIMIT: Final = 120
KIND_LIMIT: Final = 40


class AccountClass(StrEnum):
    """Which side of the books an account is on; assets and expenses grow by plus, the others by minus."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class Account(StrEnum):
    """The chart of accounts. Plus is a debit, minus is a credit, in kobo."""

    CASH_AT_GATEWAY = "cash_at_gateway"
    """What payment gateways hold for us and have not paid out."""
    CASH_AT_BANK = "cash_at_bank"
    """What has reached the operator's own account: sponsors' deposits, settlements of gateways."""
    DEFERRED_REVENUE = "deferred_revenue"
    """Paid for and not yet delivered: the days of passes that are still to come."""
    REFUNDS_OWED = "refunds_owed"
    """Promised back to a payer; the gateway has not confirmed that it went."""
    UNASSIGNED_RECEIPTS = "unassigned_receipts"
    """Money that came without a right to it: a wrong amount, a payment after its end."""
    SPONSORS_DEPOSITS = "sponsors_deposits"
    """What sponsors and venues have paid in and free data has not yet used."""
    OWED_FOR_DATA = "owed_for_data"
    """What the networks that carried free and paid octets are to be paid."""
    EARNED_REVENUE = "earned_revenue"
    """The days of passes that have been delivered."""
    SPONSORED_REVENUE = "sponsored_revenue"
    """Sponsors' deposits that free data has used."""
    REFUNDS = "refunds"
    """Income given back after it had been earned."""
    GATEWAY_FEES = "gateway_fees"
    COST_OF_DATA = "cost_of_data"

    @property
    def account_class(self) -> AccountClass:
        """Which side it is on."""
        return _CLASSES[self]


_CLASSES: Final = {
    Account.CASH_AT_GATEWAY: AccountClass.ASSET,
    Account.CASH_AT_BANK: AccountClass.ASSET,
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
}

Line = tuple[Account, int]
"""An account and what it takes, in kobo: plus is a debit, minus is a credit."""


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One entry: numbered without a gap, in the order in which it was written.

    ``at`` is when it happened; ``recorded_at`` when it was written here.
    """

    number: int
    reference: str
    kind: str
    at: datetime
    recorded_at: datetime
    lines: tuple[Line, ...]


def checked_lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines in their one order, an account at most once, if they make an entry.

    Raises:
        UnbalancedEntryError: they do not sum to zero; or are fewer than two, too many, or of no amount.
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

"""Comparison of stored payments with the gateway's lists: pure functions, so that each difference can be tested.

A finding names a difference. The reconciliation then looks up the payment and books what it can; a difference that
remains needs a person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from kswifi.payments.model import CURRENCY, HELD_STATES, PAID_STATES, Payment
from kswifi.payments.ports import Charge, ChargeStatus, Dispute, Refund, RefundStatus, Settlement, SettlementStatus
from kswifi.payments.standing import PAID_STATUSES
from kswifi.payments.unclaimed import is_ours

_Item = TypeVar("_Item", Refund, Dispute)


class FindingKind(StrEnum):
    """The kinds of difference between this installation and the gateway."""

    MISSING_HERE = "missing_here"
    """Paid at the gateway; this installation has neither a payment nor an unclaimed receipt."""
    NOT_SETTLED_HERE = "not_settled_here"
    """Paid at the gateway; the payment is unpaid here."""
    MISSING_THERE = "missing_there"
    """Settled here; the gateway does not list it as paid."""
    AMOUNT_DIFFERS = "amount_differs"
    FEE_DIFFERS = "fee_differs"
    REFUNDED_THERE = "refunded_there"
    """A refund that is not stored here, or whose state has changed."""
    DISPUTED = "disputed"
    """A dispute that is not stored here, or whose state has changed."""
    SETTLEMENT_NOT_BOOKED = "settlement_not_booked"
    SETTLEMENT_DIFFERS = "settlement_differs"
    """A payout whose amounts do not add up, or that contains money of other shops; it is not booked."""
    NOT_LOOKED_AT = "not_looked_at"
    """Not looked up, because the limit of look-ups of one run was reached."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. ``item_id`` is the gateway's id of a refund, dispute or payout; amounts are in kobo."""

    kind: FindingKind
    reference: str | None = None
    item_id: str | None = None
    here_kobo: int | None = None
    there_kobo: int | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """The stored payments that the gateway lists, and those that were settled in the window.

    ``refunds`` and ``disputes`` map the gateway's ids to the stored states; ``unclaimed`` are the references of
    receipts without a payment; ``settlements`` maps the ids of booked payouts to their amounts in kobo.
    """

    payments: Mapping[str, Payment]
    settled_in_window: frozenset[str] = frozenset()
    unclaimed: frozenset[str] = frozenset()
    refunds: Mapping[str, str] = field(default_factory=dict)
    disputes: Mapping[str, str] = field(default_factory=dict)
    settlements: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class There:
    """The gateway's lists: charges, refunds, disputes, and payouts, each payout with its charges."""

    transactions: tuple[Charge, ...]
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    contents: Mapping[str, tuple[Charge, ...]] = field(default_factory=dict)

    def charges(self) -> dict[str, Charge]:
        """Return our charges by reference, including those in payouts."""
        of_settlements = (charge for charges in self.contents.values() for charge in charges)
        return {it.reference: it for it in (*of_settlements, *self.transactions) if is_ours(it.reference)}

    def references(self) -> set[str]:
        """Return the references of our payments in all lists."""
        items: tuple[Refund | Dispute, ...] = (*self.refunds, *self.disputes)
        named = {it.reference for it in items if it.reference is not None and is_ours(it.reference)}
        return set(self.charges()) | named


def compare(here: Here, there: There) -> list[Finding]:
    """Return all differences: charges first, then refunds, disputes and payouts."""
    charges = there.charges()
    found = [finding for charge in charges.values() for finding in _of_charge(here, charge)]
    for reference in sorted(here.settled_in_window):
        charge = charges.get(reference)
        if charge is None or charge.status not in PAID_STATUSES:
            paid = here.payments[reference].paid_kobo
            found.append(Finding(FindingKind.MISSING_THERE, reference, here_kobo=paid))
    for refund in _ours(there.refunds):
        if here.refunds.get(refund.refund_id) != refund.status and refund.status is not RefundStatus.FAILED:
            kind = FindingKind.REFUNDED_THERE
            found.append(Finding(kind, refund.reference, refund.refund_id, there_kobo=refund.amount_kobo))
    for dispute in _ours(there.disputes):
        if here.disputes.get(dispute.dispute_id) != dispute.status:
            kind = FindingKind.DISPUTED
            found.append(Finding(kind, dispute.reference, dispute.dispute_id, there_kobo=dispute.amount_kobo))
    for settlement in there.settlements:
        found += _of_settlement(here, settlement)
    return found


def settlement_problem(settlement: Settlement, contents: tuple[Charge, ...], known: Iterable[str]) -> str | None:
    """Return why a payout cannot be booked; None if it can.

    The amount paid out must equal the amount processed less fees and deductions; the amounts and fees of its
    charges must sum to its own; and all charges must be ours, because the book holds no money of other shops at the
    gateway.
    """
    ours = set(known)
    foreign = [it.reference for it in contents if it.reference not in ours]
    if settlement.currency != CURRENCY:
        return f"it is in {settlement.currency[:8]}"
    if foreign:
        return f"{len(foreign)} of its {len(contents)} charges are not ours: book your part by hand"
    expected = settlement.processed_kobo - settlement.fees_kobo - settlement.deductions_kobo
    if expected != settlement.paid_out_kobo:
        return f"processed less fees and deductions is {expected} kobo, paid out is {settlement.paid_out_kobo}"
    amounts, fees = sum(it.amount_kobo for it in contents), sum(it.fees_kobo for it in contents)
    if (amounts, fees) != (settlement.processed_kobo, settlement.fees_kobo):
        said = f"{settlement.processed_kobo} and {settlement.fees_kobo}"
        return f"its charges sum to {amounts} kobo with {fees} of fees, it says {said}"
    return None


def _ours(items: Iterable[_Item]) -> Iterable[_Item]:
    # An item without a reference may be ours.
    return (it for it in items if it.reference is None or is_ours(it.reference))


def _of_charge(here: Here, charge: Charge) -> Iterable[Finding]:
    if charge.status not in PAID_STATUSES:
        return
    payment = here.payments.get(charge.reference)
    if payment is None:
        if charge.reference not in here.unclaimed and charge.currency == CURRENCY and charge.amount_kobo > 0:
            yield Finding(FindingKind.MISSING_HERE, charge.reference, there_kobo=charge.amount_kobo)
        return
    if payment.state not in PAID_STATES:
        yield Finding(FindingKind.NOT_SETTLED_HERE, charge.reference, there_kobo=charge.amount_kobo)
        return
    paid, fees = payment.paid_kobo, payment.fees_kobo
    if paid is not None and paid != charge.amount_kobo:
        yield Finding(FindingKind.AMOUNT_DIFFERS, charge.reference, None, paid, charge.amount_kobo)
    if paid is not None and charge.fees_kobo not in (0, fees):
        yield Finding(FindingKind.FEE_DIFFERS, charge.reference, None, fees, charge.fees_kobo)
    if charge.status is ChargeStatus.REVERSED and payment.state in HELD_STATES:
        yield Finding(FindingKind.REFUNDED_THERE, charge.reference, there_kobo=charge.amount_kobo)


def _of_settlement(here: Here, settlement: Settlement) -> Iterable[Finding]:
    if settlement.status is not SettlementStatus.PAID_OUT:
        return
    booked, paid_out = here.settlements.get(settlement.settlement_id), settlement.paid_out_kobo
    if booked is None:
        yield Finding(FindingKind.SETTLEMENT_NOT_BOOKED, None, settlement.settlement_id, there_kobo=paid_out)
    elif booked != paid_out:
        yield Finding(FindingKind.SETTLEMENT_DIFFERS, None, settlement.settlement_id, booked, paid_out)

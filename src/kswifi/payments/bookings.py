"""Book entries of payments. Each reference is derived from the payment, so that nothing is booked twice.

The booked amounts of a payment are read from the entries whose reference begins with ``payment:REFERENCE:``. Only
the difference between the gateway's figures and these amounts is booked. So the order and the number of the
gateway's reports do not matter. Sandbox money is booked like real money, so that the whole procedure is rehearsed;
the kind of each such entry begins with ``sandbox_``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from kswifi.books.model import Account, Line
from kswifi.books.service import post
from kswifi.books.sql import book_entry, book_line
from kswifi.payments.model import PassPeriod, Payment, earned_after
from kswifi.payments.ports import Charge, Dispute

_SENT_BACK: Final = ("refunded", "sent_back")


@dataclass(frozen=True, slots=True)
class Booked:
    """The booked amounts of one receipt: ``sent_back_kobo`` left the gateway, ``owed_kobo`` is still owed.

    ``names`` are the last parts of the entries' references, without the prefix of the receipt.
    """

    sent_back_kobo: int
    owed_kobo: int
    names: frozenset[str]

    def next_name(self, name: str) -> str:
        """Return the name of the next entry of a kind that can occur several times."""
        return f"{name}:{sum(it.partition(':')[0] == name for it in self.names)}"


def booked_of(connection: Connection, prefix: str, liability: Account) -> Booked:
    """Return the booked amounts under a prefix of references; ``liability`` is the account of the debt."""
    joined = book_line.join(book_entry, book_entry.c.number == book_line.c.number)
    rows = connection.execute(
        select(book_entry.c.reference, book_line.c.account, book_line.c.amount_kobo)
        .select_from(joined)
        .where(book_entry.c.reference >= f"{prefix}:", book_entry.c.reference < f"{prefix};")
    )
    sent_back = owed = 0
    names = set()
    for reference, account, amount_kobo in rows:
        name = reference.removeprefix(f"{prefix}:")
        names.add(name)
        if account == Account.CASH_AT_GATEWAY and name.partition(":")[0] in _SENT_BACK:
            sent_back -= amount_kobo
        elif account == liability:
            owed -= amount_kobo
    return Booked(sent_back, owed, frozenset(names))


def booked_of_payment(connection: Connection, payment: Payment) -> Booked:
    """Return the booked amounts of a payment."""
    return booked_of(connection, f"payment:{payment.reference}", Account.REFUNDS_OWED)


def book_settled(connection: Connection, payment: Payment, charge: Charge, at: datetime) -> None:
    """Book a settled payment: the cash less the gateway's fee, the fee, and deferred revenue of the price.

    A fee that the payer paid in addition to the price is not booked as our expense.
    """
    borne_by_payer = charge.amount_kobo - payment.amount_kobo
    lines = [
        (Account.CASH_AT_GATEWAY, charge.amount_kobo - charge.fees_kobo),
        (Account.GATEWAY_FEES, charge.fees_kobo - borne_by_payer),
        (Account.DEFERRED_REVENUE, -payment.amount_kobo),
    ]
    _post(connection, payment, "settled", "payment_settled", lines, at)


def book_unassigned(connection: Connection, payment: Payment, charge: Charge, at: datetime) -> None:
    """Book kobo that buy nothing (a wrong amount, a late payment) as owed back at once."""
    lines = [
        (Account.CASH_AT_GATEWAY, charge.amount_kobo - charge.fees_kobo),
        (Account.GATEWAY_FEES, charge.fees_kobo),
        (Account.UNASSIGNED_RECEIPTS, -charge.amount_kobo),
    ]
    _post(connection, payment, "unassigned", "payment_unassigned", lines, at)
    owed = [(Account.UNASSIGNED_RECEIPTS, charge.amount_kobo), (Account.REFUNDS_OWED, -charge.amount_kobo)]
    _post(connection, payment, "refund_owed", "refund_owed", owed, at)


def book_refund_owed(
    connection: Connection, payment: Payment, earned_kobo: int, total_kobo: int, at: datetime
) -> None:
    """Book the end of a pass of whose price ``total_kobo`` is returned in all; the rest is earned.

    Deferred revenue is used first. Revenue that was already earned and is returned becomes a refund of income. What
    the operator keeps for days that will not be delivered (after a lost dispute about a part of the price) becomes
    earned revenue.
    """
    sent_back = booked_of_payment(connection, payment).sent_back_kobo
    owed = max(total_kobo - sent_back, 0)
    deferred = payment.amount_kobo - earned_kobo
    from_income = owed - deferred
    refunds = from_income if from_income >= 0 else -min(-from_income, sent_back, payment.amount_kobo)
    lines = [
        (Account.DEFERRED_REVENUE, deferred),
        (Account.REFUNDS, refunds),
        (Account.EARNED_REVENUE, from_income - refunds),
        (Account.REFUNDS_OWED, -owed),
    ]
    if any(amount for _, amount in lines):
        _post(connection, payment, "refund_owed", "refund_owed", lines, at)


def book_sent_back(connection: Connection, payment: Payment, total_kobo: int, at: datetime) -> int:
    """Book the part of ``total_kobo`` returned to the payer that is not booked yet; return this part in kobo.

    It reduces what is owed first. An amount above the price is the fee that the payer had paid, which is now our
    expense. The rest is a refund of income: a part of the price of a pass that continues.
    """
    booked = booked_of_payment(connection, payment)
    more = total_kobo - booked.sent_back_kobo
    if more <= 0:
        return 0
    of_debt = min(more, booked.owed_kobo)
    beyond_price = max(total_kobo - max(payment.amount_kobo, booked.sent_back_kobo), 0)
    fee = min(more - of_debt, beyond_price)
    lines = [
        (Account.REFUNDS_OWED, of_debt),
        (Account.GATEWAY_FEES, fee),
        (Account.REFUNDS, more - of_debt - fee),
        (Account.CASH_AT_GATEWAY, -more),
    ]
    _post(connection, payment, booked.next_name("sent_back"), "payment_refunded", lines, at)
    return more


def book_refunded_by_hand(connection: Connection, payment: Payment, at: datetime) -> int:
    """Book that the operator has sent what is still owed by bank transfer; return the kobo."""
    owed = booked_of_payment(connection, payment).owed_kobo
    if owed:
        lines = [(Account.REFUNDS_OWED, owed), (Account.CASH_AT_BANK, -owed)]
        _post(connection, payment, "refunded", "payment_refunded", lines, at)
    return owed


def book_fees(connection: Connection, payment: Payment, fees_kobo: int, at: datetime) -> None:
    """Book the difference between the gateway's fee and the booked fee."""
    more = fees_kobo - (payment.fees_kobo or 0)
    name = booked_of_payment(connection, payment).next_name("fees")
    lines = [(Account.GATEWAY_FEES, more), (Account.CASH_AT_GATEWAY, -more)]
    _post(connection, payment, name, "gateway_fee_corrected", lines, at)


def book_dispute_fee(connection: Connection, payment: Payment, dispute: Dispute, at: datetime) -> None:
    """Book the gateway's fee for a lost dispute. Idempotent."""
    if dispute.fee_kobo:
        lines = [(Account.GATEWAY_FEES, dispute.fee_kobo), (Account.CASH_AT_GATEWAY, -dispute.fee_kobo)]
        _post(connection, payment, f"dispute_fee:{dispute.dispute_id}", "dispute_fee", lines, at)


def book_earned_day(connection: Connection, payment: Payment, period: PassPeriod, day: int, at: datetime) -> None:
    """Book the ``day``-th day of a pass period as earned revenue."""
    earned = earned_after(period.price_kobo, period.valid_days, day)
    amount = earned - earned_after(period.price_kobo, period.valid_days, day - 1)
    if amount:
        post(
            connection,
            reference=f"pass:{period.period_id}:day:{day}",
            kind=sandbox_kind("pass_day_earned", sandbox=payment.sandbox),
            lines=[(Account.DEFERRED_REVENUE, amount), (Account.EARNED_REVENUE, -amount)],
            at=at,
        )


def sandbox_kind(kind: str, *, sandbox: bool) -> str:
    """Return the kind of an entry, with the prefix ``sandbox_`` where no real money moves."""
    return f"sandbox_{kind}" if sandbox else kind


def _post(
    connection: Connection, payment: Payment, name: str, kind: str, lines: Sequence[Line], at: datetime
) -> None:
    kind = sandbox_kind(kind, sandbox=payment.sandbox)
    post(connection, reference=f"payment:{payment.reference}:{name}", kind=kind, lines=lines, at=at)

"""What payments put into the book. Every reference follows from the payment, so that nothing is booked twice.

Sandbox money is booked like real money, so that the whole road is rehearsed, and every such entry's kind says so.
"""

from datetime import datetime

from sqlalchemy import Connection

from kswifi.books.model import Account
from kswifi.books.service import post
from kswifi.payments.model import PassPeriod, Payment, earned_after
from kswifi.payments.ports import Charge


def book_settled(connection: Connection, payment: Payment, charge: Charge, at: datetime) -> None:
    """Book a payment that buys what it should: cash less the fee, the fee, and a debt of days to the payer.

    A fee that the payer bore on top of the price is no cost of ours.
    """
    borne_by_payer = charge.amount_kobo - payment.amount_kobo
    post(
        connection,
        reference=f"payment:{payment.reference}:settled",
        kind=_kind(payment, "payment_settled"),
        lines=[
            (Account.CASH_AT_GATEWAY, charge.amount_kobo - charge.fees_kobo),
            (Account.GATEWAY_FEES, charge.fees_kobo - borne_by_payer),
            (Account.DEFERRED_REVENUE, -payment.amount_kobo),
        ],
        at=at,
    )


def book_unassigned(connection: Connection, payment: Payment, charge: Charge, at: datetime) -> None:
    """Book kobo that came without a right to it, at once owed back."""
    post(
        connection,
        reference=f"payment:{payment.reference}:unassigned",
        kind=_kind(payment, "payment_unassigned"),
        lines=[
            (Account.CASH_AT_GATEWAY, charge.amount_kobo - charge.fees_kobo),
            (Account.GATEWAY_FEES, charge.fees_kobo),
            (Account.UNASSIGNED_RECEIPTS, -charge.amount_kobo),
        ],
        at=at,
    )
    post(
        connection,
        reference=f"payment:{payment.reference}:refund_owed",
        kind=_kind(payment, "refund_owed"),
        lines=[(Account.UNASSIGNED_RECEIPTS, charge.amount_kobo), (Account.REFUNDS_OWED, -charge.amount_kobo)],
        at=at,
    )


def book_refund_owed(connection: Connection, payment: Payment, earned_kobo: int, at: datetime) -> None:
    """Book that the price is owed back: what is still deferred, and what had been earned of it."""
    post(
        connection,
        reference=f"payment:{payment.reference}:refund_owed",
        kind=_kind(payment, "refund_owed"),
        lines=[
            (Account.DEFERRED_REVENUE, payment.amount_kobo - earned_kobo),
            (Account.REFUNDS, earned_kobo),
            (Account.REFUNDS_OWED, -payment.amount_kobo),
        ],
        at=at,
    )


def book_refunded(
    connection: Connection, payment: Payment, amount_kobo: int, at: datetime, *, by_hand: bool
) -> None:
    """Book that the gateway has sent it back, or the operator from the bank. The gateway's fee is lost."""
    post(
        connection,
        reference=f"payment:{payment.reference}:refunded",
        kind=_kind(payment, "payment_refunded"),
        lines=[
            (Account.REFUNDS_OWED, amount_kobo),
            (Account.CASH_AT_BANK if by_hand else Account.CASH_AT_GATEWAY, -amount_kobo),
        ],
        at=at,
    )


def book_earned_day(connection: Connection, payment: Payment, period: PassPeriod, day: int, at: datetime) -> None:
    """Book that the ``day``-th day of a period has been delivered."""
    earned = earned_after(period.price_kobo, period.valid_days, day)
    amount = earned - earned_after(period.price_kobo, period.valid_days, day - 1)
    if amount:
        post(
            connection,
            reference=f"pass:{period.period_id}:day:{day}",
            kind=_kind(payment, "pass_day_earned"),
            lines=[(Account.DEFERRED_REVENUE, amount), (Account.EARNED_REVENUE, -amount)],
            at=at,
        )


def _kind(payment: Payment, kind: str) -> str:
    return f"sandbox_{kind}" if payment.sandbox else kind

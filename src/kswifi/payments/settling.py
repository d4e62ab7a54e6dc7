"""What a gateway's answer means for a payment: paid, granted, booked; or paid wrongly, and owed back.

All of it in the one transaction of the caller: a payment is never settled without its pass and its entry in the
book, and whoever comes second, be it a webhook, a sweep or the payer's own look, finds it done.
"""

from datetime import datetime
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection, select

from kswifi.accounts.service import is_deleted
from kswifi.accounts.sql import user_account
from kswifi.database.engine import after_commit, transaction_instant
from kswifi.kernel.errors import KswifiError
from kswifi.payments import jobs
from kswifi.payments.bookings import book_refund_owed, book_refunded, book_settled, book_unassigned
from kswifi.payments.model import (
    CURRENCY,
    HELD_STATES,
    UNPAID_STATES,
    PassState,
    Payment,
    PaymentEvent,
    PaymentState,
    what_is_wrong,
)
from kswifi.payments.passes import earned_kobo, grant_pass
from kswifi.payments.ports import Charge, ChargeStatus
from kswifi.payments.rules import PassRules
from kswifi.payments.store import find_payment, move_payment, period_of, set_period_state

_log = structlog.get_logger(__name__)

SENT_BACK: Final = "the gateway sent it back without our asking"


def apply_charge(connection: Connection, reference: str, charge: Charge, rules: PassRules) -> Payment:
    """Take what the gateway says of a payment; what it has said before changes nothing."""
    payment = find_payment(connection, reference)
    if charge.status is ChargeStatus.PAID and payment.state in UNPAID_STATES:
        return _paid(connection, payment, charge, rules)
    if charge.status is ChargeStatus.DECLINED and payment.state is PaymentState.PENDING:
        return move_payment(connection, payment, PaymentEvent.DECLINED, charge.words or "declined")
    if charge.status is ChargeStatus.REVERSED and payment.state in HELD_STATES:
        return take_back(connection, payment, SENT_BACK)
    if charge.status is ChargeStatus.REVERSED and payment.state in UNPAID_STATES:
        # It was paid and sent back before we ever looked: nothing is granted, and the fee is lost all the same.
        owed = _without_right(connection, payment, charge, SENT_BACK)
        return refund_done(connection, owed, SENT_BACK)
    return payment


def take_back(connection: Connection, payment: Payment, reason: str) -> Payment:
    """Revoke what a settled payment bought, owe its price, and have the gateway send it."""
    now = transaction_instant(connection)
    period = period_of(connection, payment.reference)
    earned = 0
    if period is not None:
        earned = earned_kobo(connection, period)
        set_period_state(connection, period, PassState.REVOKED)
    book_refund_owed(connection, payment, earned, now)
    moved = move_payment(connection, payment, PaymentEvent.RIGHT_WITHDRAWN, reason, refund_kobo=payment.amount_kobo)
    jobs.ask_to_end_sessions(connection, payment.reference)
    jobs.ask_to_refund(connection, payment.reference)
    return moved


def refund_done(
    connection: Connection, payment: Payment, reason: str | None = None, *, by_hand: bool = False
) -> Payment:
    """Take that the money went back: by the gateway, or by hand from the operator's bank."""
    now = transaction_instant(connection)
    if payment.refund_kobo is not None:
        book_refunded(connection, payment, payment.refund_kobo, now, by_hand=by_hand)
    return move_payment(connection, payment, PaymentEvent.REFUND_DONE, reason, refunded_at=now)


def _paid(connection: Connection, payment: Payment, charge: Charge, rules: PassRules) -> Payment:
    """Grant what was paid for; what cannot be granted is owed back, and the gateway asked to send it."""
    wrong = what_is_wrong(payment, charge) or _cannot_be_given(connection, payment, rules)
    if wrong is None:
        try:
            with connection.begin_nested():
                return _settled(connection, payment, charge, rules)
        except KswifiError as error:
            after_commit(
                connection, partial(_log.error, "pass_not_granted", reference=payment.reference, exc_info=error)
            )
            wrong = f"it could not be provided: {error.message}"
    moved = _without_right(connection, payment, charge, wrong)
    jobs.ask_to_refund(connection, payment.reference)
    return moved


def _settled(connection: Connection, payment: Payment, charge: Charge, rules: PassRules) -> Payment:
    now = transaction_instant(connection)
    settled = move_payment(
        connection,
        payment,
        PaymentEvent.PAID,
        settled_at=now,
        channel=_channel(charge),
        paid_kobo=charge.amount_kobo,
        fees_kobo=charge.fees_kobo,
    )
    book_settled(connection, payment, charge, _when(charge, now))
    grant_pass(connection, settled, now, rules.zone)
    return settled


def _without_right(connection: Connection, payment: Payment, charge: Charge, reason: str) -> Payment:
    """Take money that buys nothing, and owe it back."""
    now = transaction_instant(connection)
    # The book holds kobo alone: another currency is for the operator to see to, by the reason.
    kobo = charge.amount_kobo if charge.currency == CURRENCY and charge.amount_kobo > 0 else None
    if kobo is not None:
        book_unassigned(connection, payment, charge, _when(charge, now))
    return move_payment(
        connection,
        payment,
        PaymentEvent.PAID_WITHOUT_RIGHT,
        reason,
        settled_at=now,
        channel=_channel(charge),
        paid_kobo=kobo,
        fees_kobo=None if kobo is None else charge.fees_kobo,
        refund_kobo=kobo,
    )


def _when(charge: Charge, now: datetime) -> datetime:
    """Return when it was paid, as far as the gateway says so and its clock is not ahead of ours."""
    return now if charge.paid_at is None else min(charge.paid_at, now)


def _channel(charge: Charge) -> str | None:
    return charge.channel and charge.channel[:40]


def _cannot_be_given(connection: Connection, payment: Payment, rules: PassRules) -> str | None:
    """Return why what was paid for cannot be given now, None if it can."""
    email = connection.scalar(select(user_account.c.email).where(user_account.c.user_id == payment.user_id))
    if is_deleted(email):
        return "its payer's account was deleted"
    return None if rules.obstacle is None else rules.obstacle(connection)

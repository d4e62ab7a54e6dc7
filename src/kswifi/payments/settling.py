"""Apply a gateway's answer to a payment: settle, grant and book it, or book it as owed back.

Everything happens in the caller's transaction: a payment is never settled without its pass and its book entry. The
same answer again, from a webhook, a look-up or the reconciliation, has no effect.
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
from kswifi.payments.bookings import (
    book_dispute_fee,
    book_fees,
    book_refund_owed,
    book_refunded_by_hand,
    book_sent_back,
    book_settled,
    book_unassigned,
)
from kswifi.payments.gateway_items import note_standing
from kswifi.payments.model import (
    CURRENCY,
    HELD_STATES,
    PAID_STATES,
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
from kswifi.payments.sql import INSTRUMENT_LENGTH
from kswifi.payments.standing import Standing
from kswifi.payments.store import (
    find_payment,
    move_payment,
    note_fees,
    note_returned,
    period_of,
    set_period_state,
    settled_since_begun,
)

_log = structlog.get_logger(__name__)

SENT_BACK: Final = "the gateway sent it back without our asking"
DISPUTE_LOST: Final = "its payer's bank took it back: a dispute was lost"
SECOND: Final = "another payment for the same purchase was settled after this one was begun"


def follow(connection: Connection, reference: str, standing: Standing, rules: PassRules) -> Payment:
    """Apply the gateway's standing to a payment, its pass and the book; return the payment. Idempotent.

    A refund of less than the price leaves the pass running and reduces the income; a refund of the whole price, or
    a lost dispute of any amount, ends the pass.

    Raises:
        UnknownPaymentError: there is no such payment.
    """
    payment = find_payment(connection, reference)
    charge = standing.charge
    if standing.is_paid and payment.state in UNPAID_STATES:
        payment = _paid(connection, payment, standing, rules)
    elif charge.status is ChargeStatus.DECLINED and payment.state is PaymentState.PENDING:
        return move_payment(connection, payment, PaymentEvent.DECLINED, charge.words or "declined")
    if payment.state not in PAID_STATES or not standing.is_paid:
        return payment
    note_standing(connection, payment.gateway, payment.sandbox, standing)
    if payment.paid_kobo is None:  # in another currency: nothing of it is in the book
        whole = standing.returned_kobo >= charge.amount_kobo
        return _refund_arrived(connection, payment) if whole else payment
    return _returned(connection, _with_fees(connection, payment, charge), standing)


def take_back(connection: Connection, payment: Payment, reason: str, returned: int | None = None) -> Payment:
    """Revoke the pass of a settled payment, book its price as owed, and have the gateway send it.

    ``returned`` is the total in kobo that the gateway has already returned: then no more is owed, and the gateway
    is not asked for a refund.
    """
    now = transaction_instant(connection)
    period = period_of(connection, payment.reference)
    earned = 0
    if period is not None:
        earned = earned_kobo(connection, period)
        set_period_state(connection, period, PassState.REVOKED)
    total = payment.amount_kobo if returned is None else returned
    book_refund_owed(connection, payment, earned, min(total, payment.amount_kobo), now)
    moved = move_payment(connection, payment, PaymentEvent.RIGHT_WITHDRAWN, reason, refund_kobo=total)
    jobs.ask_to_end_sessions(connection, payment.reference)
    if returned is None:
        jobs.ask_to_refund(connection, payment.reference)
    return moved


def refunded_by_hand(connection: Connection, payment: Payment) -> int:
    """Record and book that the operator has sent what was owed by bank transfer; return the kobo."""
    now = transaction_instant(connection)
    kobo = book_refunded_by_hand(connection, payment, now)
    move_payment(connection, payment, PaymentEvent.REFUND_DONE, "sent back by hand", refunded_at=now)
    return kobo


def _with_fees(connection: Connection, payment: Payment, charge: Charge) -> Payment:
    """Book a fee that differs from the booked one. A charge without a fee is ignored, because events omit it."""
    if charge.fees_kobo in (0, payment.fees_kobo):
        return payment
    book_fees(connection, payment, charge.fees_kobo, transaction_instant(connection))
    return note_fees(connection, payment.reference, charge.fees_kobo)


def _returned(connection: Connection, payment: Payment, standing: Standing) -> Payment:
    """Book what the gateway has returned, end the pass if the rule requires it, and close a completed refund."""
    now = transaction_instant(connection)
    total, lost = standing.returned_kobo, standing.lost_disputes
    if payment.state in HELD_STATES and (total >= payment.amount_kobo or lost):
        payment = take_back(connection, payment, DISPUTE_LOST if lost else SENT_BACK, total)
    more = book_sent_back(connection, payment, total, now)
    for dispute in lost:
        book_dispute_fee(connection, payment, dispute, now)
    if payment.state in (PaymentState.REFUNDING, PaymentState.REFUND_REFUSED):
        arrived = total >= (payment.refund_kobo or 0)
        return _refund_arrived(connection, payment) if arrived else payment
    if not more:
        return payment
    if payment.state is PaymentState.REFUNDED:
        twice = partial(_log.error, "more_sent_back_than_owed", reference=payment.reference, kobo=more)
        after_commit(connection, twice)
    reason = f"the gateway has sent back {total} kobo of {payment.paid_kobo}"
    return note_returned(connection, payment, total, now, reason)


def _refund_arrived(connection: Connection, payment: Payment) -> Payment:
    if payment.state is PaymentState.REFUNDED:
        return payment
    now = transaction_instant(connection)
    return move_payment(connection, payment, PaymentEvent.REFUND_DONE, payment.reason, refunded_at=now)


def _paid(connection: Connection, payment: Payment, standing: Standing, rules: PassRules) -> Payment:
    """Grant the pass of a paid payment; if it cannot be granted, book the money as owed and request its refund."""
    charge = standing.charge
    wrong = (
        what_is_wrong(payment, charge)
        or _gone_back(payment, standing)
        or (SECOND if settled_since_begun(connection, payment) else None)
        or _cannot_be_given(connection, payment, rules)
    )
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


def _gone_back(payment: Payment, standing: Standing) -> str | None:
    """Return why a paid charge buys nothing: its money was returned, or is on its way, before the pass began."""
    if standing.lost_disputes:
        return DISPUTE_LOST
    back = standing.returned_kobo + standing.under_way_kobo
    return SENT_BACK if back >= payment.amount_kobo else None


def _settled(connection: Connection, payment: Payment, charge: Charge, rules: PassRules) -> Payment:
    now = transaction_instant(connection)
    settled = move_payment(
        connection,
        payment,
        PaymentEvent.PAID,
        settled_at=now,
        channel=_channel(charge),
        instrument=charge.instrument and charge.instrument[:INSTRUMENT_LENGTH],
        paid_kobo=charge.amount_kobo,
        fees_kobo=charge.fees_kobo,
    )
    book_settled(connection, payment, charge, _when(charge, now))
    grant_pass(connection, settled, now, rules.zone)
    return settled


def _without_right(connection: Connection, payment: Payment, charge: Charge, reason: str) -> Payment:
    """Book money that buys nothing as owed back."""
    now = transaction_instant(connection)
    # The book holds only kobo: the operator has to handle another currency, which the reason names.
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
        instrument=charge.instrument and charge.instrument[:INSTRUMENT_LENGTH],
        paid_kobo=kobo,
        fees_kobo=None if kobo is None else charge.fees_kobo,
        refund_kobo=kobo,
    )


def _when(charge: Charge, now: datetime) -> datetime:
    """Return when it was paid by the gateway's clock; ``now`` if that is missing or later than ``now``."""
    return now if charge.paid_at is None else min(charge.paid_at, now)


def _channel(charge: Charge) -> str | None:
    return charge.channel and charge.channel[:40]


def _cannot_be_given(connection: Connection, payment: Payment, rules: PassRules) -> str | None:
    """Return why the pass of a paid payment cannot be granted now; None if it can."""
    email = connection.scalar(select(user_account.c.email).where(user_account.c.user_id == payment.user_id))
    if is_deleted(email):
        return "its payer's account was deleted"
    return None if rules.obstacle is None else rules.obstacle(connection)

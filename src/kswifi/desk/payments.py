"""Payments for support: look a payment up at its gateway again, and refund it by the rules of a payer's refund."""

from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.errors import NOTHING_TO_SEND_BACK
from kswifi.desk.roles import Operator, Permission
from kswifi.kernel.ids import uuid7
from kswifi.payments import jobs
from kswifi.payments.model import Payment, PaymentState
from kswifi.payments.service import ask_refund
from kswifi.payments.settling import refunded_by_hand
from kswifi.payments.store import find_payment
from kswifi.payments.unclaimed import unclaimed_sent_by_hand


def look_up(connection: Connection, operator: Operator, reference: str, reason: str) -> Payment:
    """Have the payment looked up at its gateway at once, as after a webhook; return it as it is now.

    Raises:
        UnknownPaymentError: there is no such payment.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    reason = checked_reason(reason)
    payment = find_payment(connection, reference)
    jobs.ask_about(connection, payment.reference, f"desk:{uuid7(transaction_instant(connection))}")
    record(
        connection,
        operator,
        "payments look",
        payment.reference,
        reason=reason,
        before={"state": str(payment.state)},
    )
    return payment


def sent_back_by_hand(connection: Connection, operator: Operator, reference: str, reason: str) -> int:
    """Book that a payment, or an unclaimed receipt, was sent back by hand from the bank; return the kobo.

    Raises:
        UnknownPaymentError: there is no such payment.
        NOTHING_TO_SEND_BACK: its gateway has not refused to refund it.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.CHANGE_MONEY)
    reason = checked_reason(reason)
    kobo = unclaimed_sent_by_hand(connection, reference)
    state = "unclaimed"
    if not kobo:
        payment = find_payment(connection, reference)
        state = str(payment.state)
        if payment.state is not PaymentState.REFUND_REFUSED:
            raise NOTHING_TO_SEND_BACK(f"it is {payment.state}: nothing is to be sent back by hand")
        kobo = refunded_by_hand(connection, payment)
    before, after = {"state": state}, {"sent_back_kobo": kobo}
    record(connection, operator, "payments sent-back", reference, reason=reason, before=before, after=after)
    return kobo


def refund(connection: Connection, operator: Operator, reference: str, reason: str) -> Payment:
    """Request a refund for the payer: the pass is suspended, and the money goes back if nothing of it was used.

    Raises:
        UnknownPaymentError: there is no such payment.
        NotRefundableError: it was not paid, its pass is over, or a later one has to be refunded first.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    reason = checked_reason(reason)
    before = find_payment(connection, reference)
    after = ask_refund(connection, before.user_id, before.reference)
    record(
        connection,
        operator,
        "payments refund",
        before.reference,
        reason=reason,
        before={"state": str(before.state)},
        after={"state": str(after.state)},
    )
    return after

"""Payments for support: look a payment up at its gateway again, and refund it by the rules of a payer's refund."""

from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.roles import Operator, Permission
from kswifi.kernel.ids import uuid7
from kswifi.payments import jobs
from kswifi.payments.model import Payment
from kswifi.payments.service import ask_refund
from kswifi.payments.store import find_payment


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

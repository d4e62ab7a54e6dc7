"""Refunds at the gateway: each amount is sent once, also after repeated attempts and lost answers."""

from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.payments import jobs
from kswifi.payments.model import Payment, PaymentEvent, PaymentState
from kswifi.payments.ports import (
    GatewayRefused,
    GatewayUnknown,
    PaymentGateway,
    Refund,
    RefundStatus,
)
from kswifi.payments.rules import PassRules
from kswifi.payments.settling import follow
from kswifi.payments.standing import Standing, look_up
from kswifi.payments.store import find_payment, move_payment, note_reason, note_refund_try

_log = structlog.get_logger(__name__)

_Answer = Refund | GatewayRefused | GatewayUnknown | None

NO_ANSWER: Final = "the gateway has not said in time that it was sent back"


class Refunding:
    """Requests refunds from a gateway.

    The intent is stored before the first request. Every later attempt looks through the gateway's refunds before it
    requests one, so a lost answer does not send the money twice.
    """

    def __init__(self, database: Database, gateway: PaymentGateway, rules: PassRules) -> None:
        self._database = database
        self._gateway = gateway
        self._rules = rules

    async def refund(self, payment: Payment, attempt: int) -> None:
        """Advance a payment that is being refunded by one step, and schedule the next look-up."""
        standing, answer = await self._ask(payment)

        def take_answer(connection: Connection) -> str | None:
            """Return why a person is needed; None if nobody is."""
            if standing is not None:
                follow(connection, payment.reference, standing, self._rules)
            current = find_payment(connection, payment.reference)
            if current.state is not PaymentState.REFUNDING:
                return None
            if isinstance(answer, Refund) and answer.status is RefundStatus.FAILED:
                needs_a_person: str | None = answer.words or "the refund failed at the gateway"
            else:
                # A refusal had no effect, and its cause (for example too little money at the gateway) may pass.
                busy = answer.retry_after_seconds if isinstance(answer, GatewayUnknown) else None
                again = jobs.ask_to_refund(connection, current.reference, attempt + 1, busy)
                words = None if answer is None else answer.words
                needs_a_person = None if again else words or NO_ANSWER
            if needs_a_person is not None:
                move_payment(connection, current, PaymentEvent.REFUND_REFUSED, needs_a_person)
            elif isinstance(answer, GatewayRefused):
                note_reason(connection, current.reference, f"the gateway refuses for now: {answer.words}")
            return needs_a_person

        needs_a_person = await self._database.write(take_answer)
        if needs_a_person is not None:
            _log.error("refund_needs_a_person", reference=payment.reference, words=needs_a_person)
        elif isinstance(answer, GatewayRefused):
            _log.warning("refund_refused_for_now", reference=payment.reference, words=answer.words)

    async def _ask(self, payment: Payment) -> tuple[Standing | None, _Answer]:
        """Return the payment's standing and the gateway's answer; None as answer if nothing was left to refund."""
        standing = await look_up(self._gateway, payment.reference)
        if not isinstance(standing, Standing):
            return None, standing
        tried = await self._database.write(
            lambda connection: note_refund_try(connection, payment.reference, transaction_instant(connection))
        )
        owed = standing.charge.amount_kobo if payment.refund_kobo is None else payment.refund_kobo
        left = owed - standing.returned_kobo
        if left <= 0:
            return standing, None
        # The gateway's operator may have begun a refund, so a pending one counts at the first attempt too.
        newest = standing.refunds[0] if standing.refunds else None
        if newest is not None and (
            newest.status is RefundStatus.UNDER_WAY or (tried and newest.status is RefundStatus.FAILED)
        ):
            return standing, newest
        if tried:
            _log.info("refund_asked_again", reference=payment.reference)
        # A refund that is done at once is also read from the list by the next look-up, because it has its id there.
        return standing, await self._gateway.refund(standing.charge, left)

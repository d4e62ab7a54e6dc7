"""Sending money back: once, however often it is worked, and whatever answers are lost."""

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
    """Asks a gateway for refunds.

    That it will be asked is written down first. From then on its refunds are looked through before it is asked
    again, so an answer that was lost does not send the money twice.
    """

    def __init__(self, database: Database, gateway: PaymentGateway, rules: PassRules) -> None:
        self._database = database
        self._gateway = gateway
        self._rules = rules

    async def refund(self, payment: Payment, attempt: int) -> None:
        """Go one step further with a payment that is being refunded, and say when to look next."""
        standing, answer = await self._ask(payment)

        def take_answer(connection: Connection) -> str | None:
            """Return why a person is needed."""
            if standing is not None:
                follow(connection, payment.reference, standing, self._rules)
            current = find_payment(connection, payment.reference)
            if current.state is not PaymentState.REFUNDING:
                return None
            if isinstance(answer, Refund) and answer.status is RefundStatus.FAILED:
                needs_a_person: str | None = answer.words or "the refund failed at the gateway"
            else:
                # A refusal did nothing, and what refuses today (too little money at the gateway, say) may not
                # tomorrow.
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
        """Return how the payment stands, and what the gateway answered; None where nothing was left to ask for."""
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
        # A gateway's own operator may have begun a refund, so one that is under way counts the first time too.
        newest = standing.refunds[0] if standing.refunds else None
        if newest is not None and (
            newest.status is RefundStatus.UNDER_WAY or (tried and newest.status is RefundStatus.FAILED)
        ):
            return standing, newest
        if tried:
            _log.info("refund_asked_again", reference=payment.reference)
        # Also one that is done at once is taken from the list, by the next look: there it has its id.
        return standing, await self._gateway.refund(standing.charge, left)

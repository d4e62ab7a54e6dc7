"""Sending money back: once, however often it is worked, and whatever answers are lost."""

from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.outbox.results import Done, JobResult, Unknown
from kswifi.payments import jobs
from kswifi.payments.model import HELD_STATES, Payment, PaymentEvent, PaymentState
from kswifi.payments.ports import (
    Charge,
    ChargeStatus,
    GatewayRefused,
    GatewayUnknown,
    PaymentGateway,
    Refund,
    RefundStatus,
)
from kswifi.payments.settling import SENT_BACK, refund_done, take_back
from kswifi.payments.store import find_payment, move_payment, note_reason, note_refund_try

_log = structlog.get_logger(__name__)

_Answer = Refund | GatewayRefused | GatewayUnknown

NO_ANSWER: Final = "the gateway has not said in time that it was sent back"


class Refunding:
    """Asks a gateway for refunds.

    That it will be asked is written down first. From then on its refunds are looked through before it is asked
    again, so an answer that was lost does not send the money twice.
    """

    def __init__(self, database: Database, gateway: PaymentGateway) -> None:
        self._database = database
        self._gateway = gateway

    async def refund(self, payment: Payment, attempt: int) -> None:
        """Go one step further with a payment that is being refunded, and say when to look next."""
        answer = await self._ask(payment)

        def take_answer(connection: Connection) -> str | None:
            """Return why a person is needed."""
            current = find_payment(connection, payment.reference)
            if current.state is not PaymentState.REFUNDING:
                return None
            match answer:
                case Refund(RefundStatus.DONE):
                    refund_done(connection, current, current.reason)
                    return None
                case Refund(RefundStatus.FAILED):
                    needs_a_person: str | None = answer.words or "the refund failed at the gateway"
                case _:
                    # A refusal did nothing, and what refuses today (too little money at the gateway, say) may not
                    # tomorrow.
                    busy = answer.retry_after_seconds if isinstance(answer, GatewayUnknown) else None
                    again = jobs.ask_to_refund(connection, current.reference, attempt + 1, busy)
                    needs_a_person = None if again else answer.words or NO_ANSWER
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

    async def look(self, reference: str, charge: Charge) -> JobResult:
        """Take what a webhook told of a refund, also of one that somebody made at the gateway itself."""
        answer = await self._gateway.refunds(charge)
        if isinstance(answer, GatewayUnknown):
            return Unknown(answer.words)
        if isinstance(answer, GatewayRefused):
            return Done()

        def take(connection: Connection) -> None:
            payment = find_payment(connection, reference)
            whole = sum(it.amount_kobo for it in answer if it.status is RefundStatus.DONE) >= payment.amount_kobo
            if not whole:
                return
            if payment.state in HELD_STATES:
                payment = take_back(connection, payment, SENT_BACK)
            if payment.state in (PaymentState.REFUNDING, PaymentState.REFUND_REFUSED):
                refund_done(connection, payment, payment.reason)

        await self._database.write(take)
        return Done()

    async def _ask(self, payment: Payment) -> _Answer:
        charge = await self._gateway.verify(payment.reference)
        if not isinstance(charge, Charge):
            return charge
        tried = await self._database.write(
            lambda connection: note_refund_try(connection, payment.reference, transaction_instant(connection))
        )
        # A gateway's own operator may have sent it back, so it is looked through the first time too.
        there = await self._gateway.refunds(charge)
        if not isinstance(there, tuple):
            return there
        owed = charge.amount_kobo if payment.refund_kobo is None else payment.refund_kobo
        sent = sum(it.amount_kobo for it in there if it.status is RefundStatus.DONE)
        if sent >= owed or charge.status is ChargeStatus.REVERSED:
            return Refund(RefundStatus.DONE, owed)
        if there and there[0].status is not RefundStatus.DONE:
            return there[0]
        if tried:
            _log.info("refund_asked_again", reference=payment.reference)
        return await self._gateway.refund(charge, owed - sent)

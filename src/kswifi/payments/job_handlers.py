"""Outbox handlers of payments: the steps that call the gateway.

Each handler calls the gateway outside any transaction and writes the answer in one. If the gateway does not answer,
a later outbox entry repeats the call (see ``jobs``); no handler waits in a loop.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.payments import jobs
from kswifi.payments.model import OPEN_STATES, UNPAID_STATES, Payment, PaymentEvent, PaymentState
from kswifi.payments.opening import Opening
from kswifi.payments.passes import earn_day
from kswifi.payments.ports import GatewayRefused, GatewayUnknown, PaymentGateway
from kswifi.payments.reconciliation import Reconciler
from kswifi.payments.refunding import Refunding
from kswifi.payments.rules import PassRules
from kswifi.payments.settling import follow
from kswifi.payments.standing import Standing, look_up
from kswifi.payments.store import find_payment, move_payment, payment_of, prune_unpaid
from kswifi.payments.unclaimed import follow_unclaimed

_log = structlog.get_logger(__name__)

UNPAID_RETENTION: Final = timedelta(days=90)
"""The age at which a payment that was never paid is deleted: long after its last look-up. Paid ones are kept."""


class PaymentHandlers:
    """Handles the outbox entries of payments; pass ``handlers()`` to the worker."""

    def __init__(self, database: Database, gateway: PaymentGateway, opening: Opening, rules: PassRules) -> None:
        self._database = database
        self._gateway = gateway
        self._opening = opening
        self._rules = rules
        self._refunding = Refunding(database, gateway, rules)
        self._reconciler = Reconciler(database, gateway, rules)

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {
            jobs.OPEN: self.open,
            jobs.LOOK: self.look,
            jobs.NOTICE: self.notice,
            jobs.REFUND: self.refund,
            jobs.RECONCILE: self.reconcile,
        }

    async def open(self, entry: Entry) -> JobResult:
        """Open the checkout of a payment whose request did not finish, or got no answer from the gateway."""
        payment = await self._read(entry)
        if payment.state is not PaymentState.INTENDED:
            return Done()
        if payment.gateway != self._gateway.name:
            return _another_gateways(payment)
        payment = await self._opening.open(payment)
        if payment.state is PaymentState.INTENDED:

            def open_again(connection: Connection) -> None:
                current = find_payment(connection, payment.reference)
                again = jobs.ask_to_open(connection, current.reference, entry.payload["attempt"] + 1)
                if not again and current.state is PaymentState.INTENDED:
                    move_payment(
                        connection, current, PaymentEvent.GIVEN_UP, "the gateway opened no checkout in time"
                    )

            await self._database.write(open_again)
        return Done()

    async def look(self, entry: Entry) -> JobResult:
        """Look up an unpaid payment although no webhook came, and schedule the next look-up."""
        payment = await self._read(entry)
        if payment.state not in UNPAID_STATES:
            return Done()
        if payment.gateway != self._gateway.name:
            return _another_gateways(payment)
        answer = await self._look_up(payment)
        busy = answer.retry_after_seconds if isinstance(answer, GatewayUnknown) else None
        attempt: int = entry.payload["attempt"]

        def look_again(connection: Connection) -> None:
            current = find_payment(connection, payment.reference)
            if current.state in OPEN_STATES and attempt >= jobs.LAPSE_AFTER_LOOK:
                move_payment(connection, current, PaymentEvent.GIVEN_UP, "nobody paid in time")
            if current.state in UNPAID_STATES:
                jobs.ask_to_look(connection, current.reference, attempt + 1, busy)

        await self._database.write(look_again)
        return Done()

    async def notice(self, entry: Entry) -> JobResult:
        """Look up the payment of a webhook; without a stored payment it becomes an unclaimed receipt."""
        reference = str(entry.payload["reference"])
        payment = await self._database.read(lambda connection: payment_of(connection, reference))
        if payment is not None and payment.gateway != self._gateway.name:
            return _another_gateways(payment)
        answer = await (self._look_up_unclaimed(reference) if payment is None else self._look_up(payment))
        return Unknown(answer.words) if isinstance(answer, GatewayUnknown) else Done()

    async def reconcile(self, entry: Entry) -> JobResult:
        """Compare one day with the gateway's lists."""
        return await self._reconciler.work_day(str(entry.payload["day"]))

    async def refund(self, entry: Entry) -> JobResult:
        """Ask the gateway to refund a payment, or look up the state of the refund."""
        payment = await self._read(entry)
        if payment.state is not PaymentState.REFUNDING:
            return Done()
        if payment.gateway != self._gateway.name:
            return _another_gateways(payment)
        await self._refunding.refund(payment, entry.payload["attempt"])
        return Done()

    async def _read(self, entry: Entry) -> Payment:
        return await self._database.read(
            lambda connection: find_payment(connection, str(entry.payload["reference"]))
        )

    async def _look_up_unclaimed(self, reference: str) -> Standing | GatewayRefused | GatewayUnknown:
        answer = await look_up(self._gateway, reference)
        if isinstance(answer, Standing):
            name, sandbox = self._gateway.name, self._gateway.sandbox
            await self._database.write(lambda connection: follow_unclaimed(connection, name, sandbox, answer))
        return answer

    async def _look_up(self, payment: Payment) -> Standing | GatewayRefused | GatewayUnknown:
        answer = await look_up(self._gateway, payment.reference)
        if isinstance(answer, Standing):
            await self._database.write(
                lambda connection: follow(connection, payment.reference, answer, self._rules)
            )
        else:
            _log.warning("payment_not_looked_up", reference=payment.reference, words=answer.words)
        return answer


def pass_handlers(database: Database, rules: PassRules) -> Mapping[str, Handler]:
    """Return the handlers of running passes; they need no gateway."""

    async def earn(entry: Entry) -> JobResult:
        await database.write(
            lambda connection: earn_day(
                connection, str(entry.payload["reference"]), entry.payload["day"], rules.zone
            )
        )
        return Done()

    return {jobs.EARN: earn}


async def prune_payments(database: Database) -> int:
    """Delete a batch of payments that were never paid; return their number. A housekeeping chore."""
    return await database.write(
        lambda connection: prune_unpaid(connection, transaction_instant(connection) - UNPAID_RETENTION),
        alone=True,
    )


def _another_gateways(payment: Payment) -> Refused:
    return Refused(f"this payment was begun with the gateway {payment.gateway}, which is not the one in use")

"""Opening a checkout, for the request that begins a payment and for the job that repeats a failed attempt."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from kswifi.accounts.sql import user_account
from kswifi.database.engine import Database
from kswifi.payments import jobs
from kswifi.payments.model import CURRENCY, Payment, PaymentEvent, PaymentState
from kswifi.payments.ports import (
    Checkout,
    GatewayRefused,
    GatewayUnknown,
    Order,
    PaymentGateway,
    RefusalKind,
)
from kswifi.payments.rules import PassRules
from kswifi.payments.settling import follow
from kswifi.payments.standing import Standing, look_up
from kswifi.payments.store import find_payment, move_payment


@dataclass(frozen=True, slots=True)
class PayerPage:
    """The page to which payers return, and the email address for payers without one (gateways require it)."""

    origin: str
    contact_email: str


class Opening:
    """Opens the checkout of a stored payment."""

    def __init__(self, database: Database, gateway: PaymentGateway, page: PayerPage, rules: PassRules) -> None:
        self._database = database
        self._gateway = gateway
        self._page = page
        self._rules = rules

    async def open(self, payment: Payment) -> Payment:
        """Open the checkout; return the payment after it: still ``intended`` if the gateway did not answer.

        If the gateway reports the reference as a duplicate, an earlier call opened the checkout and its answer was
        lost, with the address of the checkout. Nobody can have paid there, so the payment fails.
        """
        answer = await self._gateway.initialize(await self._order(payment))
        if isinstance(answer, GatewayUnknown):
            return payment
        standing: Standing | None = None
        if isinstance(answer, GatewayRefused) and answer.kind is RefusalKind.DUPLICATE_REFERENCE:
            found = await look_up(self._gateway, payment.reference)
            if isinstance(found, GatewayUnknown):
                return payment
            standing = found if isinstance(found, Standing) else None

        def take_answer(connection: Connection) -> Payment:
            current = find_payment(connection, payment.reference)
            if standing is not None:
                current = follow(connection, current.reference, standing, self._rules)
            if current.state is not PaymentState.INTENDED:
                return current
            if isinstance(answer, Checkout):
                current = move_payment(connection, current, PaymentEvent.OPENED, checkout_url=answer.url)
            else:
                current = move_payment(connection, current, PaymentEvent.NOT_OPENED, answer.words)
            jobs.ask_to_look(connection, current.reference)
            return current

        return await self._database.write(take_answer)

    async def _order(self, payment: Payment) -> Order:
        query = select(user_account.c.email).where(user_account.c.user_id == payment.user_id)
        email = await self._database.read(lambda connection: connection.scalar(query))
        return Order(
            reference=payment.reference,
            amount_kobo=payment.amount_kobo,
            currency=CURRENCY,
            email=email or self._page.contact_email,
            title=payment.title,
            return_url=f"{self._page.origin}/?payment={payment.reference}",
        )

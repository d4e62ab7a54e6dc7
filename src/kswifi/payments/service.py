"""Payments for their users: begin, list, request a refund; and the gateway's webhooks."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.catalogue.model import Offer
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database, transaction_instant
from kswifi.kernel.pages import FIRST_PAGE, Page, PageRequest
from kswifi.outbox.service import is_known
from kswifi.payments import jobs
from kswifi.payments.errors import (
    NothingToDeliverError,
    NothingToPayError,
    NotRefundableError,
    NotTheGatewayInUseError,
    PaymentNotOpenedError,
    TooManyOpenPaymentsError,
    WebhookSignatureWrongError,
    WebhookUnreadableError,
)
from kswifi.payments.model import (
    PassPeriod,
    PassState,
    Payment,
    PaymentEvent,
    PaymentState,
)
from kswifi.payments.opening import Opening
from kswifi.payments.passes import pass_of
from kswifi.payments.ports import PaymentGateway
from kswifi.payments.receipts import Receipt, receipt_of
from kswifi.payments.rules import PassRules
from kswifi.payments.sql import REFERENCE_LENGTH
from kswifi.payments.store import (
    add_payment,
    count_open,
    find_payment,
    move_payment,
    payable_of,
    payment_of,
    payments_page,
    period_of,
    periods_after,
    set_period_state,
)
from kswifi.payments.unclaimed import is_ours

_log = structlog.get_logger(__name__)

OPEN_PAYMENTS_LIMIT: Final = 5
CHECKOUT_LIFETIME: Final = timedelta(hours=2)
"""How long an open checkout is returned again: until an unpaid payment lapses."""
_NEVER_OPENED: Final = "no checkout was opened, and nothing was taken"


async def passes_held(database: Database, user_id: str) -> tuple[list[PassPeriod], bool]:
    """Return a user's passes that have not ended, the earliest first, and whether one is running now."""

    def look(connection: Connection) -> tuple[list[PassPeriod], bool]:
        now = database.clock.now()
        held = periods_after(connection, user_id, now)
        return held, pass_of(connection, user_id, now) is not None

    return await database.read(look)


class PaymentService:
    """Payments of signed-in users through one gateway; ``seller`` and ``contact`` appear on receipts."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        gateway: PaymentGateway,
        opening: Opening,
        rules: PassRules,
        seller: str = "KSWiFi",
        contact: str | None = None,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._gateway = gateway
        self._opening = opening
        self._seller = seller
        self._contact = contact
        self.rules: Final = rules
        self.webhooks: Final[Counter[str]] = Counter()
        """The number of webhooks since the start, by outcome."""

    @property
    def gateway(self) -> PaymentGateway:
        """The gateway in use."""
        return self._gateway

    async def begin(self, user_id: str, offer_id: str, operation_id: str) -> Payment:
        """Begin a payment for an offer; return it with its checkout.

        The same ``operation_id`` gives the same payment. If the user has an open checkout for the same offer, it is
        returned again, so that two checkouts of one purchase cannot both be paid. If the gateway does not answer,
        the payment is returned as ``intended``: a background job opens it or gives up.

        Raises:
            UNKNOWN_OFFER: there is no such offer.
            NothingToPayError: it is free.
            NothingToDeliverError: there is nothing to sell now.
            KswifiError: as the rules' ``require_buyer``.
            TooManyOpenPaymentsError: the user has the maximum number of unpaid payments.
            PaymentNotOpenedError: the gateway refused; no money was taken.
        """
        offer = self._catalogue.offer(offer_id)
        if offer.free:
            raise NothingToPayError(f"{offer.title} costs nothing: order it", offer_id=offer.id)
        reference = f"kswifi-{operation_id}"
        payment = await self._database.write(lambda connection: self._intend(connection, user_id, offer, reference))
        # An intent of another request is opened by that request, or else by its job: opening it twice at the same
        # time would take the second answer, "the reference exists", for a lost checkout.
        if payment.state is PaymentState.INTENDED and payment.reference == reference:
            payment = await self._opening.open(payment)
        if payment.state is PaymentState.FAILED and payment.checkout_url is None:
            raise PaymentNotOpenedError(
                f"{payment.reason or 'the gateway refused'}: {_NEVER_OPENED}; try again with a new Idempotency-Key",
                reference=payment.reference,
            )
        return payment

    def _intend(self, connection: Connection, user_id: str, offer: Offer, reference: str) -> Payment:
        """Add an intended payment and the job that opens it; return the one that exists, if any. A step."""
        existing = payment_of(connection, reference) or self._still_open(connection, user_id, offer)
        if existing is not None:
            return existing
        self._require_sale(connection, user_id, offer)
        payment = Payment(
            reference=reference,
            user_id=user_id,
            offer_id=offer.id,
            title=offer.title,
            amount_kobo=offer.price_kobo,
            valid_days=offer.valid_days,
            limit_octets=self.rules.fair_use_octets if offer.allowance_octets is None else offer.allowance_octets,
            gateway=self._gateway.name,
            sandbox=self._gateway.sandbox,
            state=PaymentState.INTENDED,
            reason=None,
            checkout_url=None,
            created_at=transaction_instant(connection),
            settled_at=None,
            refunded_at=None,
            paid_kobo=None,
            fees_kobo=None,
            refund_kobo=None,
            channel=None,
        )
        add_payment(connection, payment)
        jobs.ask_to_open(connection, reference)
        return payment

    def _require_sale(self, connection: Connection, user_id: str, offer: Offer) -> None:
        """Refuse a payment that must not begin; raises as ``begin``."""
        if self.rules.require_buyer is not None:
            self.rules.require_buyer(connection, user_id)
        obstacle = None if self.rules.obstacle is None else self.rules.obstacle(connection)
        if obstacle is not None:
            raise NothingToDeliverError(f"{obstacle}: nothing was taken", offer_id=offer.id)
        if count_open(connection, user_id) >= OPEN_PAYMENTS_LIMIT:
            raise TooManyOpenPaymentsError(
                f"{OPEN_PAYMENTS_LIMIT} payments wait to be paid: pay one, or wait until they lapse",
                open_payments=OPEN_PAYMENTS_LIMIT,
            )

    async def payment(self, user_id: str, reference: str) -> Payment:
        """Return one of a user's payments.

        Raises:
            UnknownPaymentError: there is none, or it belongs to another user.
        """
        return await self._database.read(lambda connection: find_payment(connection, reference, user_id))

    async def payments(self, user_id: str, page: PageRequest = FIRST_PAGE) -> Page[Payment]:
        """Return a page of a user's payments, the newest first."""
        return await self._database.read(lambda connection: payments_page(connection, user_id, page))

    async def receipt(self, user_id: str, reference: str, payer: str) -> Receipt:
        """Return the receipt of one of a user's payments.

        Raises:
            UnknownPaymentError: as ``payment``.
            NoReceiptError: it was not paid.
        """

        def look(connection: Connection) -> tuple[Payment, PassPeriod | None]:
            payment = find_payment(connection, reference, user_id)
            period = period_of(connection, reference)
            return payment, period

        payment, period = await self._database.read(look)
        return receipt_of(payment, period, payer, self._seller, self._contact, self.rules.zone)

    async def take_webhook(self, gateway: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Accept a webhook: enqueue a look-up of its payment. Its content is not trusted; ``verify`` is called.

        Raises:
            NotTheGatewayInUseError: this gateway is not in use, for example the sandbox after going live.
            WebhookSignatureWrongError, WebhookUnreadableError: as the gateway's ``read_webhook``.
        """
        if gateway != self._gateway.name:
            raise NotTheGatewayInUseError(f"{gateway} takes no payments here", gateway=gateway)
        try:
            notice = self._gateway.read_webhook(body, headers)
        except (WebhookSignatureWrongError, WebhookUnreadableError) as error:
            self.webhooks[error.code.removeprefix("webhook_")] += 1
            _log.warning(error.code, gateway=gateway, octets=len(body))
            raise
        if notice is None:
            self.webhooks["not_about_payments"] += 1
            return
        digest = hashlib.sha256(body).hexdigest()

        if await self._database.read(lambda connection: is_known(connection, jobs.notice_key(digest))):
            self.webhooks["repeated"] += 1
            return  # a replay costs a read, not a write

        def note(connection: Connection) -> bool:
            # A reference of ours without a payment was deleted: if it was paid, its money is booked as unclaimed.
            short = len(notice.reference) <= REFERENCE_LENGTH
            known = short and payment_of(connection, notice.reference) is not None
            ours = known or is_ours(notice.reference)
            if ours:
                jobs.ask_about(connection, notice.reference, digest)
            return ours

        noted = await self._database.write(note)
        self.webhooks["noted" if noted else "not_ours"] += 1
        if not noted:
            _log.warning("webhook_of_an_unknown_payment", reference=notice.reference[:REFERENCE_LENGTH])

    def _still_open(self, connection: Connection, user_id: str, offer: Offer) -> Payment | None:
        """Return the user's payment for this offer on the present terms that can still be paid, if any."""
        terms = (offer.price_kobo, offer.valid_days, self._limit_octets(offer), self._gateway.name)
        begun_after = transaction_instant(connection) - CHECKOUT_LIFETIME
        for one in payable_of(connection, user_id, offer.id, begun_after):
            same = (one.amount_kobo, one.valid_days, one.limit_octets, one.gateway) == terms
            if same and one.sandbox == self._gateway.sandbox:
                return one
        return None

    def _limit_octets(self, offer: Offer) -> int | None:
        return self.rules.fair_use_octets if offer.allowance_octets is None else offer.allowance_octets

    def _intent(self, connection: Connection, reference: str, user_id: str, offer: Offer) -> Payment:
        return Payment(
            reference=reference,
            user_id=user_id,
            offer_id=offer.id,
            title=offer.title,
            amount_kobo=offer.price_kobo,
            valid_days=offer.valid_days,
            limit_octets=self._limit_octets(offer),
            gateway=self._gateway.name,
            sandbox=self._gateway.sandbox,
            state=PaymentState.INTENDED,
            reason=None,
            checkout_url=None,
            created_at=transaction_instant(connection),
            settled_at=None,
            refunded_at=None,
            paid_kobo=None,
            fees_kobo=None,
            refund_kobo=None,
            channel=None,
        )


def ask_refund(connection: Connection, user_id: str, reference: str) -> Payment:
    """Request a refund: the pass is suspended, and revoked if it is unused. Idempotent.

    Raises:
        UnknownPaymentError: there is none, or it belongs to another user.
        NotRefundableError: it was not paid, its pass is over, or a later one has to be refunded first.
    """
    payment = find_payment(connection, reference, user_id)
    if payment.state in (PaymentState.REFUND_ASKED, PaymentState.REFUNDING, PaymentState.REFUNDED):
        return payment
    period = period_of(connection, reference)
    if payment.state is not PaymentState.SETTLED or period is None:
        raise NotRefundableError(f"a payment that is {payment.state} has nothing to give back")
    now = transaction_instant(connection)
    if period.ends_at <= now:
        raise NotRefundableError("its days are over", ended_at=period.ends_at.isoformat())
    last = periods_after(connection, user_id, now)[-1]
    if last.period_id != period.period_id:
        raise NotRefundableError("a later payment extends this one: give that back first")
    set_period_state(connection, period, PassState.SUSPENDED)
    payment = move_payment(connection, payment, PaymentEvent.REFUND_ASKED)
    jobs.ask_to_withdraw(connection, reference)
    return payment

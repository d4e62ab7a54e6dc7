"""The port of a payment gateway: open a checkout, look up a payment, refund it, list charges, read webhooks.

Every call answers *done* (a Checkout, a Charge, a Refund), *refused* or **unknown**. Unknown means that the call
may or may not have had an effect: look it up, never repeat it blindly. Amounts are whole kobo. Two adapters
implement this port and pass one contract suite (`tests/contract/test_payment_gateways.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class ChargeStatus(StrEnum):
    """The state of a charge at a gateway."""

    OPEN = "open"
    """Not paid yet, or in progress."""
    PAID = "paid"
    DECLINED = "declined"
    """The last attempt failed; the payer may try again in the same checkout."""
    REVERSED = "reversed"
    """It was paid, and the whole amount was returned."""


class RefundStatus(StrEnum):
    """The state of a refund at a gateway."""

    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """The order for a checkout. ``reference`` is ours, and identifies the payment at the gateway for good."""

    reference: str
    amount_kobo: int
    currency: str
    email: str
    title: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """The address of the page where the payer pays."""

    url: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A payment as the gateway reports it.

    ``requested_kobo`` is the amount that we requested, None if the gateway does not report it; ``amount_kobo`` is
    more if the payer bears the gateway's fee. ``fees_kobo`` is 0 while nothing is paid. ``instrument`` is the
    gateway's identifier of what paid: the same card or bank account has the same one.
    """

    reference: str
    status: ChargeStatus
    amount_kobo: int
    currency: str
    fees_kobo: int = 0
    requested_kobo: int | None = None
    transaction_id: str | None = None
    channel: str | None = None
    paid_at: datetime | None = None
    words: str | None = None
    instrument: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as the gateway reports it.

    ``refund_id`` is the gateway's id. ``reference`` is that of the payment, None if the gateway does not report it.
    ``dispute_id`` is the id of the dispute that caused the refund, if any.
    """

    status: RefundStatus
    amount_kobo: int
    words: str | None = None
    refund_id: str = ""
    reference: str | None = None
    dispute_id: str | None = None


class DisputeStatus(StrEnum):
    """The state of a dispute (chargeback)."""

    OPEN = "open"
    WON = "won"
    """Decided for the merchant: no money was taken."""
    LOST = "lost"
    """Decided for the payer, or accepted by the merchant: the amount was taken back."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payer's claim, through their bank, to get a payment back.

    ``amount_kobo`` is the claimed amount; ``fee_kobo`` is the gateway's fee for a lost dispute. The merchant can
    answer the dispute at the gateway until ``due_at``.
    """

    dispute_id: str
    reference: str | None
    status: DisputeStatus
    amount_kobo: int
    fee_kobo: int = 0
    due_at: datetime | None = None
    words: str | None = None


class SettlementStatus(StrEnum):
    """The state of a payout to the merchant's bank."""

    UNDER_WAY = "under_way"
    PAID_OUT = "paid_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Settlement:
    """A payout: the processed amount less fees and deductions (refunds, lost disputes) goes to the bank."""

    settlement_id: str
    status: SettlementStatus
    processed_kobo: int
    fees_kobo: int
    deductions_kobo: int
    paid_out_kobo: int
    currency: str
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time: ``from_at`` is included, ``to_at`` is not."""

    from_at: datetime
    to_at: datetime


class RefusalKind(StrEnum):
    """The reasons of a gateway's refusal that need different handling."""

    UNKNOWN_REFERENCE = "unknown_reference"
    DUPLICATE_REFERENCE = "duplicate_reference"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class GatewayRefused:
    """The gateway refused the call; it had no effect."""

    kind: RefusalKind
    words: str


@dataclass(frozen=True, slots=True)
class GatewayUnknown:
    """The result is unknown: no answer, an unreadable answer, or an error of the gateway."""

    words: str
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """The payment of a webhook. A webhook changes nothing by itself: the payment is looked up at the gateway."""

    reference: str


ListAnswer = tuple[_Item, ...] | GatewayRefused | GatewayUnknown
"""A complete list, or the reason why there is none. A partial list is never returned."""


class PaymentGateway(Protocol):
    """One payment gateway. ``sandbox`` is True if no real money moves."""

    name: str
    sandbox: bool

    async def initialize(self, order: Order) -> Checkout | GatewayRefused | GatewayUnknown:
        """Open a checkout. A reference that already has one is refused as DUPLICATE_REFERENCE."""
        ...

    async def verify(self, reference: str) -> Charge | GatewayRefused | GatewayUnknown:
        """Look up a payment. A reference without a checkout is refused as UNKNOWN_REFERENCE."""
        ...

    async def refund(self, charge: Charge, amount_kobo: int) -> Refund | GatewayRefused | GatewayUnknown:
        """Request a refund of a charge that ``verify`` returned. Call it only after ``refunds`` returned none."""
        ...

    async def refunds(self, charge: Charge) -> ListAnswer[Refund]:
        """Return the refunds of a charge that ``verify`` returned, the newest first."""
        ...

    async def disputes(self, charge: Charge) -> ListAnswer[Dispute]:
        """Return the disputes of a charge that ``verify`` returned."""
        ...

    async def list_transactions(self, window: Window) -> ListAnswer[Charge]:
        """Return the charges of a window, including unpaid ones, each once."""
        ...

    async def list_refunds(self, window: Window) -> ListAnswer[Refund]:
        """Return the refunds that were made in a window, each once."""
        ...

    async def list_disputes(self, window: Window) -> ListAnswer[Dispute]:
        """Return the disputes that were opened in a window, each once."""
        ...

    async def list_settlements(self, window: Window) -> ListAnswer[Settlement]:
        """Return the payouts of a window, each once."""
        ...

    async def settlement_transactions(self, settlement_id: str) -> ListAnswer[Charge]:
        """Return the charges that a payout contains, each once."""
        ...

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice | None:
        """Return the payment that a webhook is about; None if it is about no payment of ours.

        ``body`` is the raw body; the names in ``headers`` are in lower case.

        Raises:
            WebhookSignatureWrongError: it is not from the gateway.
            WebhookUnreadableError: it is from the gateway, but unreadable.
        """
        ...

    async def check(self) -> str | None:
        """Make a call without effects to the gateway; return what is wrong, None if it works."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...

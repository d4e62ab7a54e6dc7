"""A payment gateway, as we need it: open a checkout, look a payment up, refund it, list it, read its webhooks.

Every call answers *done* (a Checkout, a Charge, a Refund), *refused* or **unknown**. Unknown means that nobody
knows whether it happened: it is looked up, never blindly done again. Amounts are whole kobo. Two adapters and one
contract suite stand behind this port (`tests/contract/test_payment_gateways.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class ChargeStatus(StrEnum):
    """How a gateway says that a payment stands."""

    OPEN = "open"
    """Nobody has paid yet, or it is under way."""
    PAID = "paid"
    DECLINED = "declined"
    """The last try failed; the payer may try again in the same checkout."""
    REVERSED = "reversed"
    """It was paid, and all of it went back."""


class RefundStatus(StrEnum):
    """How a gateway says that a refund stands."""

    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """What a checkout is opened for. ``reference`` is ours, and names the payment at the gateway for good."""

    reference: str
    amount_kobo: int
    currency: str
    email: str
    title: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the payer pays."""

    url: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A payment as the gateway has it.

    ``requested_kobo`` is what we asked for, where the gateway says so: ``amount_kobo`` is more where the payer
    bears the gateway's fee. ``fees_kobo`` is 0 while nothing was paid.
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


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as the gateway has it.

    ``refund_id`` names it at the gateway. ``reference`` is the payment's, None where the gateway does not say it.
    ``dispute_id`` names the dispute that the refund carries out, where it does.
    """

    status: RefundStatus
    amount_kobo: int
    words: str | None = None
    refund_id: str = ""
    reference: str | None = None
    dispute_id: str | None = None


class DisputeStatus(StrEnum):
    """How a dispute (chargeback) stands."""

    OPEN = "open"
    WON = "won"
    """Decided for the merchant: nothing was taken."""
    LOST = "lost"
    """Decided for the payer, or accepted by the merchant: the amount was taken back."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payer's claim, through their bank, that a payment be taken back.

    ``amount_kobo`` is what is claimed; ``fee_kobo`` what the gateway charges for a lost dispute. Until ``due_at``
    the merchant can answer it at the gateway.
    """

    dispute_id: str
    reference: str | None
    status: DisputeStatus
    amount_kobo: int
    fee_kobo: int = 0
    due_at: datetime | None = None
    words: str | None = None


class SettlementStatus(StrEnum):
    """How a payout to the merchant's bank stands."""

    UNDER_WAY = "under_way"
    PAID_OUT = "paid_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Settlement:
    """A payout: what was processed, less fees and deductions (refunds, lost disputes), is what the bank gets."""

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
    """A span of time, from the first instant up to and without the last."""

    from_at: datetime
    to_at: datetime


class RefusalKind(StrEnum):
    """Why a gateway refused, as far as we act differently on it."""

    UNKNOWN_REFERENCE = "unknown_reference"
    DUPLICATE_REFERENCE = "duplicate_reference"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class GatewayRefused:
    """The gateway said no, and did nothing."""

    kind: RefusalKind
    words: str


@dataclass(frozen=True, slots=True)
class GatewayUnknown:
    """Nobody knows: no answer, an answer that cannot be read, or a gateway that is not well."""

    words: str
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Which payment a webhook is about. It moves nothing by itself: the gateway is asked how the payment stands."""

    reference: str


ListAnswer = tuple[_Item, ...] | GatewayRefused | GatewayUnknown
"""A whole list, or why there is none. Part of a list is never an answer."""


class PaymentGateway(Protocol):
    """One gateway. ``sandbox`` says that no real money moves."""

    name: str
    sandbox: bool

    async def initialize(self, order: Order) -> Checkout | GatewayRefused | GatewayUnknown:
        """Open a checkout; a reference that was opened already is refused as DUPLICATE_REFERENCE."""
        ...

    async def verify(self, reference: str) -> Charge | GatewayRefused | GatewayUnknown:
        """Look a payment up; one that was never opened is refused as UNKNOWN_REFERENCE."""
        ...

    async def refund(self, charge: Charge, amount_kobo: int) -> Refund | GatewayRefused | GatewayUnknown:
        """Ask for a refund of a charge that ``verify`` gave. Call it only after ``refunds`` has shown none."""
        ...

    async def refunds(self, charge: Charge) -> ListAnswer[Refund]:
        """Return the refunds of a charge that ``verify`` gave, the newest first."""
        ...

    async def disputes(self, charge: Charge) -> ListAnswer[Dispute]:
        """Return the disputes of a charge that ``verify`` gave."""
        ...

    async def list_transactions(self, window: Window) -> ListAnswer[Charge]:
        """Return the charges of a window, unpaid ones too, each once."""
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
        """Return what a webhook is about; None where it is about nothing of ours.

        ``body`` is the raw body and ``headers`` have lower-case names.

        Raises:
            WebhookSignatureWrongError: it is not from the gateway.
            WebhookUnreadableError: it is, and cannot be read.
        """
        ...

    async def check(self) -> str | None:
        """Ask the gateway something that changes nothing; return what is wrong, None if it works."""
        ...

    async def close(self) -> None:
        """Let the connections go."""
        ...

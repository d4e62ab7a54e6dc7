"""A payment gateway, as we need it: open a checkout, look a payment up, give it back, read its webhooks.

Every call answers *done* (a Checkout, a Charge, a Refund), *refused* or **unknown**. Unknown means that nobody
knows whether it happened: it is looked up, never blindly done again. Amounts are whole kobo. Two adapters and one
contract suite stand behind this port (`tests/contract/test_payment_gateways.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


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
    """A refund as the gateway has it."""

    status: RefundStatus
    amount_kobo: int
    words: str | None = None


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
    """What a webhook is about. It moves nothing by itself: the gateway is asked how the payment stands."""

    reference: str
    about_refund: bool


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

    async def refunds(self, charge: Charge) -> tuple[Refund, ...] | GatewayRefused | GatewayUnknown:
        """Return the refunds of a charge that ``verify`` gave, the newest first."""
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

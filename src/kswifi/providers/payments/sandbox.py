"""The client of our own sandbox gateway: an HTTP service of the lab, in which no money moves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from kswifi.kernel.clock import require_aware
from kswifi.payments.errors import WebhookUnreadableError
from kswifi.payments.ports import (
    Charge,
    ChargeStatus,
    Checkout,
    GatewayRefused,
    GatewayUnknown,
    Notice,
    Order,
    Refund,
    RefundStatus,
    RefusalKind,
)
from kswifi.providers.payments.gateway_http import ANSWER_SECONDS, GatewayClient, exact_kobo, signed_event
from kswifi.providers.payments.registry import GatewayOptions

SIGNATURE_HEADER: Final = "x-kswifi-sandbox-signature"
UNCONFIRMED: Final = ()
"""Nothing: both sides are ours."""

_KINDS: Final = {
    "duplicate_reference": RefusalKind.DUPLICATE_REFERENCE,
    "unknown_reference": RefusalKind.UNKNOWN_REFERENCE,
}
_UNREADABLE: Final = GatewayUnknown("the sandbox gateway's answer cannot be read")


class SandboxGateway:
    """The sandbox gateway at ``url`` (scheme://host:port); ``secret`` is its key, and signs its webhooks."""

    name = "sandbox"
    sandbox = True

    def __init__(self, url: str, secret: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._http = GatewayClient("the sandbox gateway", url, secret, answer_seconds)
        self._secret = secret.encode()

    async def initialize(self, order: Order) -> Checkout | GatewayRefused | GatewayUnknown:
        """Open a charge."""
        body = {
            "reference": order.reference,
            "amount_kobo": order.amount_kobo,
            "currency": order.currency,
            "email": order.email,
            "title": order.title,
            "return_url": order.return_url,
        }
        found = await self._ask("POST", "/v1/charges", body)
        if not isinstance(found, dict):
            return found
        url = found.get("checkout_url")
        return Checkout(url) if isinstance(url, str) and url.startswith("http") else _UNREADABLE

    async def verify(self, reference: str) -> Charge | GatewayRefused | GatewayUnknown:
        """Look a charge up."""
        found = await self._ask("GET", f"/v1/charges/{reference}")
        if not isinstance(found, dict):
            return found
        amount, fees = exact_kobo(found.get("amount_kobo")), exact_kobo(found.get("fees_kobo", 0))
        try:
            paid_at = found.get("paid_at")
            return Charge(
                reference=str(found["reference"]),
                status=ChargeStatus(found["status"]),
                amount_kobo=_known(amount),
                currency=str(found["currency"]),
                fees_kobo=_known(fees),
                transaction_id=str(found["transaction_id"]),
                channel=found.get("channel"),
                paid_at=None if paid_at is None else require_aware(datetime.fromisoformat(paid_at)),
            )
        except (KeyError, ValueError, TypeError):
            return _UNREADABLE

    async def refund(self, charge: Charge, amount_kobo: int) -> Refund | GatewayRefused | GatewayUnknown:
        """Ask for a refund."""
        found = await self._ask("POST", f"/v1/charges/{charge.reference}/refunds", {"amount_kobo": amount_kobo})
        return _refund(found) or _UNREADABLE if isinstance(found, dict) else found

    async def refunds(self, charge: Charge) -> tuple[Refund, ...] | GatewayRefused | GatewayUnknown:
        """List the refunds of a charge."""
        found = await self._ask("GET", f"/v1/charges/{charge.reference}/refunds")
        if not isinstance(found, dict):
            return found
        listed = found.get("refunds")
        read = [_refund(it) for it in listed] if isinstance(listed, list) else [None]
        known = tuple(it for it in read if it is not None)
        return known if len(known) == len(read) else _UNREADABLE

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice | None:
        """Check the signature over the raw body and return what it is about."""
        event, told = signed_event(self._secret, SIGNATURE_HEADER, body, headers)
        reference = told.get("reference")
        if not isinstance(reference, str):
            raise WebhookUnreadableError("this webhook names no payment")
        return Notice(reference, about_refund=event.startswith("refund."))

    async def check(self) -> str | None:
        """Ask whether it is there and knows our key."""
        found = await self._ask("GET", "/v1/health")
        return None if isinstance(found, dict) else found.words

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.close()

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | GatewayRefused | GatewayUnknown:
        answer = await self._http.ask(method, path, body)
        if isinstance(answer, GatewayUnknown):
            return answer
        status, found = answer
        if status < 300:
            return found
        kind = _KINDS.get(str(found.get("error")), RefusalKind.OTHER)
        return GatewayRefused(kind, str(found.get("message") or found.get("error") or status)[:200])


def open_gateway(options: GatewayOptions) -> SandboxGateway:
    """Return the client of the sandbox gateway.

    Raises:
        ValueError: the options do not say where it is.
    """
    if options.url is None:
        raise ValueError("the sandbox gateway has no address of its own")
    return SandboxGateway(options.url, options.secret_key)


def _refund(found: Any) -> Refund | None:
    amount = exact_kobo(found.get("amount_kobo")) if isinstance(found, dict) else None
    try:
        return None if amount is None else Refund(RefundStatus(found["status"]), amount)
    except (KeyError, ValueError):
        return None


def _known(amount: int | None) -> int:
    if amount is None:
        raise ValueError("no amount")
    return amount

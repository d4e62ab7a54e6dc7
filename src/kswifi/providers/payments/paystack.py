"""Paystack, as thin as it can be: four calls and a webhook, over httpx2.

What is not confirmed by trying it against Paystack itself stands as a constant below and in ``UNCONFIRMED``, which
`kswifi payments check` lists.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

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

PAYSTACK_URL: Final = "https://api.paystack.co"
SIGNATURE_HEADER: Final = "x-paystack-signature"
TEST_KEY_PREFIX: Final = "sk_test_"
LIVE_KEY_PREFIX: Final = "sk_live_"

DUPLICATE_CODE: Final = "duplicate_reference"
DUPLICATE_WORDS: Final = "duplicate transaction reference"
UNKNOWN_CODE: Final = "transaction_not_found"
UNKNOWN_WORDS: Final = "reference not found"

CHARGE_STATUSES: Final = {
    "success": ChargeStatus.PAID,
    "failed": ChargeStatus.DECLINED,
    "reversed": ChargeStatus.REVERSED,
    **dict.fromkeys(("abandoned", "ongoing", "pending", "processing", "queued"), ChargeStatus.OPEN),
}
REFUND_STATUSES: Final = {
    "processed": RefundStatus.DONE,
    "failed": RefundStatus.FAILED,
    **dict.fromkeys(("pending", "processing", "needs-attention"), RefundStatus.UNDER_WAY),
}

UNCONFIRMED: Final = (
    f"the codes {DUPLICATE_CODE!r} and {UNKNOWN_CODE!r}: second-hand; the message is looked at too",
    "GET /refund filters by ?transaction=ID: second-hand; what it lists is filtered here again",
    "after a whole refund, verify says status 'reversed': second-hand; the list of refunds is looked at first",
    "a refund of more than is left is refused: without it, an answer lost twice could send money twice",
    "a failed card may be tried again in the same checkout, and its status becomes 'success' then",
    "the limits of requests in a time: unknown; 429 is met by looking again later",
)
"""What only Paystack itself can confirm."""

_UNREADABLE: Final = GatewayUnknown("Paystack's answer cannot be read")


class Paystack:
    """Paystack behind a secret key; with a test key (sk_test_...) no money moves, and ``sandbox`` says so."""

    name = "paystack"

    def __init__(self, secret_key: str, url: str = PAYSTACK_URL, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._http = GatewayClient("Paystack", url, secret_key, answer_seconds)
        self._secret = secret_key.encode()
        self.sandbox = not secret_key.startswith(LIVE_KEY_PREFIX)

    async def initialize(self, order: Order) -> Checkout | GatewayRefused | GatewayUnknown:
        """Initialize Transaction: POST /transaction/initialize."""
        body = {
            "email": order.email,
            "amount": order.amount_kobo,
            "currency": order.currency,
            "reference": order.reference,
            "callback_url": order.return_url,
            "metadata": {"title": order.title},
        }
        data = await self._ask("POST", "/transaction/initialize", body)
        if not isinstance(data, dict):
            return _UNREADABLE if isinstance(data, list) else data
        url = data.get("authorization_url")
        same = data.get("reference") == order.reference
        return Checkout(url) if same and isinstance(url, str) and url.startswith("http") else _UNREADABLE

    async def verify(self, reference: str) -> Charge | GatewayRefused | GatewayUnknown:
        """Verify Transaction: GET /transaction/verify/{reference}."""
        data = await self._ask("GET", f"/transaction/verify/{quote(reference, safe='')}")
        if not isinstance(data, dict):
            return _UNREADABLE if isinstance(data, list) else data
        amount = exact_kobo(data.get("amount"))
        status = CHARGE_STATUSES.get(str(data.get("status")))
        reference_there, currency, number = data.get("reference"), data.get("currency"), data.get("id")
        if amount is None or status is None or number is None:
            return _UNREADABLE
        if not isinstance(reference_there, str) or not isinstance(currency, str):
            return _UNREADABLE
        if not self.sandbox and data.get("domain") != "live":
            return GatewayRefused(RefusalKind.OTHER, "a test transaction is no payment")
        words = data.get("gateway_response")
        return Charge(
            reference=reference_there,
            status=status,
            amount_kobo=amount,
            currency=currency,
            fees_kobo=exact_kobo(data.get("fees")) or 0,
            requested_kobo=exact_kobo(data.get("requested_amount")),
            transaction_id=str(number),
            channel=data["channel"] if isinstance(data.get("channel"), str) else None,
            paid_at=_instant(data.get("paid_at") or data.get("paidAt")),
            words=words[:200] if isinstance(words, str) else None,
        )

    async def refund(self, charge: Charge, amount_kobo: int) -> Refund | GatewayRefused | GatewayUnknown:
        """Create Refund: POST /refund."""
        data = await self._ask("POST", "/refund", {"transaction": charge.reference, "amount": amount_kobo})
        if not isinstance(data, dict):
            return _UNREADABLE if isinstance(data, list) else data
        return _refund(data) or _UNREADABLE

    async def refunds(self, charge: Charge) -> tuple[Refund, ...] | GatewayRefused | GatewayUnknown:
        """List Refunds: GET /refund?transaction=ID, the newest first."""
        params = {"transaction": charge.transaction_id or "", "perPage": "100"}
        data = await self._ask("GET", "/refund", params=params)
        if not isinstance(data, list):
            return _UNREADABLE if isinstance(data, dict) else data
        ours = [it for it in data if isinstance(it, dict) and _transaction_of(it) == charge.transaction_id]
        read = [_refund(it) for it in ours]
        known = tuple(it for it in read if it is not None)
        return known if len(known) == len(ours) else _UNREADABLE

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice | None:
        """Check the HMAC-SHA512 over the raw body and return what it is about; None for other things."""
        event, told = signed_event(self._secret, SIGNATURE_HEADER, body, headers)
        data = told.get("data")
        if not isinstance(data, dict):
            raise WebhookUnreadableError("this webhook says nothing that can be read")
        about_refund = event.startswith("refund.")
        if not about_refund and event != "charge.success":
            return None
        reference = data.get("transaction_reference" if about_refund else "reference")
        if not isinstance(reference, str):
            raise WebhookUnreadableError("this webhook names no payment")
        return Notice(reference, about_refund)

    async def check(self) -> str | None:
        """Ask for one transaction of the list: it shows that the key is right, and changes nothing."""
        found = await self._ask("GET", "/transaction", params={"perPage": "1"})
        return found.words if isinstance(found, (GatewayRefused, GatewayUnknown)) else None

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.close()

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | list[Any] | GatewayRefused | GatewayUnknown:
        answer = await self._http.ask(method, path, body, params)
        if isinstance(answer, GatewayUnknown):
            return answer
        status, found = answer
        data = found.get("data")
        if status < 300 and found.get("status") is True and isinstance(data, (dict, list)):
            return data
        if status < 300:
            return _UNREADABLE
        words = str(found.get("message") or status)[:200]
        return GatewayRefused(_kind(str(found.get("code")), words.lower()), words)


def open_gateway(options: GatewayOptions) -> Paystack:
    """Return Paystack as the settings describe it."""
    return Paystack(options.secret_key, options.url or PAYSTACK_URL)


def _kind(code: str, words: str) -> RefusalKind:
    if code == DUPLICATE_CODE or DUPLICATE_WORDS in words:
        return RefusalKind.DUPLICATE_REFERENCE
    if code == UNKNOWN_CODE or UNKNOWN_WORDS in words:
        return RefusalKind.UNKNOWN_REFERENCE
    return RefusalKind.OTHER


def _refund(data: dict[str, Any]) -> Refund | None:
    amount, status = exact_kobo(data.get("amount")), REFUND_STATUSES.get(str(data.get("status")))
    return None if amount is None or status is None else Refund(status, amount)


def _transaction_of(refund: dict[str, Any]) -> str:
    """Return the id of a refund's transaction: listed as a number, created with the whole transaction in it."""
    found = refund.get("transaction")
    return str(found.get("id") if isinstance(found, dict) else found)


def _instant(text: Any) -> datetime | None:
    try:
        return None if text is None else require_aware(datetime.fromisoformat(text))
    except (ValueError, TypeError):
        return None

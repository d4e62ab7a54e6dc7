"""The client of the lab's sandbox gateway: an HTTP service in which no money moves."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from kswifi.payments.errors import WebhookUnreadableError
from kswifi.payments.ports import (
    Charge,
    ChargeStatus,
    Checkout,
    Dispute,
    DisputeStatus,
    GatewayRefused,
    GatewayUnknown,
    ListAnswer,
    Notice,
    Order,
    Refund,
    RefundStatus,
    RefusalKind,
    Settlement,
    SettlementStatus,
    Window,
)
from kswifi.providers.payments.gateway_http import (
    ANSWER_SECONDS,
    GatewayClient,
    Page,
    all_pages,
    exact_kobo,
    instant,
    rfc3339,
    signed_event,
)
from kswifi.providers.payments.registry import GatewayOptions

SIGNATURE_HEADER: Final = "x-kswifi-sandbox-signature"
UNCONFIRMED: Final = ()
"""Empty, because both sides are ours."""

_KINDS: Final = {
    "duplicate_reference": RefusalKind.DUPLICATE_REFERENCE,
    "unknown_reference": RefusalKind.UNKNOWN_REFERENCE,
}
_Item = TypeVar("_Item")

_UNREADABLE: Final = GatewayUnknown("the sandbox gateway's answer cannot be read")


class SandboxGateway:
    """The sandbox gateway at ``url`` (scheme://host:port); ``secret`` is its key, which also signs its webhooks."""

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
        """Look up a charge."""
        found = await self._ask("GET", f"/v1/charges/{reference}")
        if not isinstance(found, dict):
            return found
        return _read(_charge, found) or _UNREADABLE

    async def refund(self, charge: Charge, amount_kobo: int) -> Refund | GatewayRefused | GatewayUnknown:
        """Request a refund."""
        found = await self._ask("POST", f"/v1/charges/{charge.reference}/refunds", {"amount_kobo": amount_kobo})
        return _read(_refund, found) or _UNREADABLE if isinstance(found, dict) else found

    async def refunds(self, charge: Charge) -> ListAnswer[Refund]:
        """List the refunds of a charge."""
        return await self._list(f"/v1/charges/{charge.reference}/refunds", None, _refund)

    async def disputes(self, charge: Charge) -> ListAnswer[Dispute]:
        """List the disputes of a charge."""
        return await self._list(f"/v1/charges/{charge.reference}/disputes", None, _dispute)

    async def list_transactions(self, window: Window) -> ListAnswer[Charge]:
        """List the charges of a window."""
        return await self._list("/v1/charges", window, _charge)

    async def list_refunds(self, window: Window) -> ListAnswer[Refund]:
        """List the refunds of a window."""
        return await self._list("/v1/refunds", window, _refund)

    async def list_disputes(self, window: Window) -> ListAnswer[Dispute]:
        """List the disputes of a window."""
        return await self._list("/v1/disputes", window, _dispute)

    async def list_settlements(self, window: Window) -> ListAnswer[Settlement]:
        """List the payouts of a window."""
        return await self._list("/v1/settlements", window, _settlement)

    async def settlement_transactions(self, settlement_id: str) -> ListAnswer[Charge]:
        """List the charges of a payout."""
        return await self._list(f"/v1/settlements/{settlement_id}/charges", None, _charge)

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice | None:
        """Check the signature over the raw body and return the payment that it is about."""
        _event, told = signed_event(self._secret, SIGNATURE_HEADER, body, headers)
        reference = told.get("reference")
        if not isinstance(reference, str):
            raise WebhookUnreadableError("this webhook names no payment")
        return Notice(reference)

    async def check(self) -> str | None:
        """Check that the gateway runs and accepts our key."""
        found = await self._ask("GET", "/v1/health")
        return None if isinstance(found, dict) else found.words

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | GatewayRefused | GatewayUnknown:
        answer = await self._http.ask(method, path, body, params)
        if isinstance(answer, GatewayUnknown):
            return answer
        status, found = answer
        if status < 300:
            return found
        kind = _KINDS.get(str(found.get("error")), RefusalKind.OTHER)
        return GatewayRefused(kind, str(found.get("message") or found.get("error") or status)[:200])

    async def _list(
        self, path: str, window: Window | None, read: Callable[[dict[str, Any]], _Item]
    ) -> tuple[_Item, ...] | GatewayRefused | GatewayUnknown:
        """Return all pages of a list; unknown if one item is unreadable."""
        span = {} if window is None else {"from": rfc3339(window.from_at), "to": rfc3339(window.to_at)}

        async def ask(page: int) -> Page | GatewayRefused | GatewayUnknown:
            found = await self._ask("GET", path, params={**span, "page": str(page)})
            if not isinstance(found, dict):
                return found
            items, pages = found.get("items"), exact_kobo(found.get("pages"))
            if not isinstance(items, list) or not all(isinstance(it, dict) for it in items):
                return _UNREADABLE
            return items, pages

        objects = await all_pages(ask)
        if not isinstance(objects, tuple):
            return objects
        known = tuple(it for it in (_read(read, one) for one in objects) if it is not None)
        return known if len(known) == len(objects) else _UNREADABLE


def open_gateway(options: GatewayOptions) -> SandboxGateway:
    """Return the client of the sandbox gateway.

    Raises:
        ValueError: the options have no address.
    """
    if options.url is None:
        raise ValueError("the sandbox gateway has no address of its own")
    return SandboxGateway(options.url, options.secret_key)


def _read(read: Callable[[dict[str, Any]], _Item], found: dict[str, Any]) -> _Item | None:
    try:
        return read(found)
    except (KeyError, ValueError, TypeError):
        return None


def _charge(found: dict[str, Any]) -> Charge:
    return Charge(
        reference=str(found["reference"]),
        status=ChargeStatus(found["status"]),
        amount_kobo=_kobo(found, "amount_kobo"),
        currency=str(found["currency"]),
        fees_kobo=_kobo({"fees_kobo": 0} | found, "fees_kobo"),
        transaction_id=str(found["id"]),
        channel=found.get("channel"),
        paid_at=instant(found.get("paid_at")),
        instrument=found.get("instrument"),
    )


def _refund(found: dict[str, Any]) -> Refund:
    status, amount = RefundStatus(found["status"]), _kobo(found, "amount_kobo")
    return Refund(status, amount, refund_id=str(found["id"]), reference=str(found["reference"]))


def _dispute(found: dict[str, Any]) -> Dispute:
    return Dispute(
        dispute_id=str(found["id"]),
        reference=str(found["reference"]),
        status=DisputeStatus(found["status"]),
        amount_kobo=_kobo(found, "amount_kobo"),
        fee_kobo=_kobo(found, "fee_kobo"),
        due_at=instant(found.get("due_at")),
    )


def _settlement(found: dict[str, Any]) -> Settlement:
    return Settlement(
        settlement_id=str(found["id"]),
        status=SettlementStatus(found["status"]),
        processed_kobo=_kobo(found, "processed_kobo"),
        fees_kobo=_kobo(found, "fees_kobo"),
        deductions_kobo=_kobo(found, "deductions_kobo"),
        paid_out_kobo=_kobo(found, "paid_out_kobo"),
        currency=str(found["currency"]),
        settled_at=instant(found.get("settled_at")),
    )


def _kobo(found: dict[str, Any], name: str) -> int:
    amount = exact_kobo(found[name])
    if amount is None:
        raise ValueError(f"{name} is no amount")
    return amount

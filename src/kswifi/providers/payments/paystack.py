"""The adapter of Paystack: four calls, its lists and a webhook, over httpx2.

Assumptions that were not confirmed with Paystack itself are constants below and listed in ``UNCONFIRMED``, which
`kswifi payments check` shows.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

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
from kswifi.payments.sql import INSTRUMENT_LENGTH
from kswifi.providers.payments.gateway_http import (
    ANSWER_SECONDS,
    PER_PAGE,
    GatewayClient,
    Page,
    all_pages,
    exact_kobo,
    instant,
    rfc3339,
    signed_event,
)
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
    **dict.fromkeys(("reversal_pending", "reversal-pending", "reversal pending"), ChargeStatus.PAID),
    "failed": ChargeStatus.DECLINED,
    "reversed": ChargeStatus.REVERSED,
    **dict.fromkeys(("abandoned", "ongoing", "pending", "processing", "queued"), ChargeStatus.OPEN),
}
REFUND_STATUSES: Final = {
    "processed": RefundStatus.DONE,
    "failed": RefundStatus.FAILED,
    **dict.fromkeys(("pending", "processing", "needs-attention"), RefundStatus.UNDER_WAY),
}

DISPUTE_OPEN_STATUSES: Final = ("awaiting-merchant-feedback", "awaiting-bank-feedback", "pending")
DISPUTE_LOST_RESOLUTIONS: Final = ("merchant-accepted", "auto-accepted")
DISPUTE_WON_RESOLUTIONS: Final = ("declined", "merchant-declined")
DISPUTE_EVENTS: Final = "charge.dispute."
REFUND_EVENTS: Final = "refund."
SETTLEMENT_STATUSES: Final = {
    "success": SettlementStatus.PAID_OUT,
    "failed": SettlementStatus.FAILED,
    **dict.fromkeys(("pending", "processing"), SettlementStatus.UNDER_WAY),
}
SETTLEMENT_NET: Final = "effective_amount"
SETTLEMENT_DEDUCTIONS: Final = "deductions"

UNCONFIRMED: Final = (
    "the status of a transaction while its refund is under way: 'reversal pending' in one spelling or another",
    f"the resolutions of a dispute that is lost: {DISPUTE_LOST_RESOLUTIONS}, and won: {DISPUTE_WON_RESOLUTIONS}",
    "GET /dispute filters by ?transaction=ID; what it lists is filtered here again",
    "a lost dispute costs no fee of its own: none is in the dispute; a payout would not add up by it",
    "a refund that carries out a dispute names it in 'dispute'; if it did not, it would be counted twice",
    f"a payout's {SETTLEMENT_NET!r} is what reaches the bank: processed less fees less {SETTLEMENT_DEDUCTIONS!r}",
    "?from and ?to of the lists are of the time of creation, a payout's of its settlement_date",
    f"the codes {DUPLICATE_CODE!r} and {UNKNOWN_CODE!r}: second-hand; the message is looked at too",
    "GET /refund filters by ?transaction=ID: second-hand; what it lists is filtered here again",
    "after a whole refund, verify says status 'reversed': second-hand; the list of refunds is looked at first",
    "a refund of more than is left is refused: without it, an answer lost twice could send money twice",
    "a failed card may be tried again in the same checkout, and its status becomes 'success' then",
    "the limits of requests in a time: unknown; 429 is met by looking again later",
)
"""Assumptions that only Paystack itself can confirm."""

_Item = TypeVar("_Item")

_UNREADABLE: Final = GatewayUnknown("Paystack's answer cannot be read")


class Paystack:
    """Paystack with a secret key; with a test key (sk_test_...) no money moves, and ``sandbox`` is True."""

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
        charge = _charge(data)
        if charge is not None and not self.sandbox and data.get("domain") != "live":
            return GatewayRefused(RefusalKind.OTHER, "a test transaction is no payment")
        return charge or _UNREADABLE

    async def refund(self, charge: Charge, amount_kobo: int) -> Refund | GatewayRefused | GatewayUnknown:
        """Create Refund: POST /refund."""
        data = await self._ask("POST", "/refund", {"transaction": charge.reference, "amount": amount_kobo})
        if not isinstance(data, dict):
            return _UNREADABLE if isinstance(data, list) else data
        return _refund(data) or _UNREADABLE

    async def refunds(self, charge: Charge) -> ListAnswer[Refund]:
        """List Refunds: GET /refund?transaction=ID, the newest first."""
        return await self._list("/refund", {"transaction": charge.transaction_id or ""}, _refund, charge)

    async def disputes(self, charge: Charge) -> ListAnswer[Dispute]:
        """List Disputes: GET /dispute?transaction=ID."""
        return await self._list("/dispute", {"transaction": charge.transaction_id or ""}, _dispute, charge)

    async def list_transactions(self, window: Window) -> ListAnswer[Charge]:
        """List Transactions: GET /transaction."""
        return await self._list("/transaction", _span(window), _charge)

    async def list_refunds(self, window: Window) -> ListAnswer[Refund]:
        """List Refunds: GET /refund."""
        return await self._list("/refund", _span(window), _refund)

    async def list_disputes(self, window: Window) -> ListAnswer[Dispute]:
        """List Disputes: GET /dispute."""
        return await self._list("/dispute", _span(window), _dispute)

    async def list_settlements(self, window: Window) -> ListAnswer[Settlement]:
        """List Settlements: GET /settlement."""
        return await self._list("/settlement", _span(window), _settlement)

    async def settlement_transactions(self, settlement_id: str) -> ListAnswer[Charge]:
        """List Settlement Transactions: GET /settlement/{id}/transactions."""
        return await self._list(f"/settlement/{quote(settlement_id, safe='')}/transactions", {}, _charge)

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice | None:
        """Check the HMAC-SHA512 over the raw body; return the payment that it is about, None for other events."""
        event, told = signed_event(self._secret, SIGNATURE_HEADER, body, headers)
        data = told.get("data")
        if not isinstance(data, dict):
            raise WebhookUnreadableError("this webhook says nothing that can be read")
        if event.startswith(REFUND_EVENTS):
            reference = data.get("transaction_reference")
        elif event.startswith(DISPUTE_EVENTS):
            transaction = data.get("transaction")
            reference = transaction.get("reference") if isinstance(transaction, dict) else None
        elif event == "charge.success":
            reference = data.get("reference")
        else:
            return None
        if not isinstance(reference, str):
            raise WebhookUnreadableError("this webhook names no payment")
        return Notice(reference)

    async def check(self) -> str | None:
        """Request one transaction of the list, which shows that the key is valid and changes nothing."""
        found = await self._ask("GET", "/transaction", params={"perPage": "1"})
        return found.words if isinstance(found, (GatewayRefused, GatewayUnknown)) else None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | list[Any] | GatewayRefused | GatewayUnknown:
        found = await self._ask_whole(method, path, body, params)
        return found["data"] if isinstance(found, dict) else found

    async def _ask_whole(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | GatewayRefused | GatewayUnknown:
        """Return a successful answer with all its members; ``data`` is an object or a list."""
        answer = await self._http.ask(method, path, body, params)
        if isinstance(answer, GatewayUnknown):
            return answer
        status, found = answer
        if status < 300 and found.get("status") is True and isinstance(found.get("data"), (dict, list)):
            return found
        if status < 300:
            return _UNREADABLE
        words = str(found.get("message") or status)[:200]
        return GatewayRefused(_kind(str(found.get("code")), words.lower()), words)

    async def _list(
        self,
        path: str,
        params: Mapping[str, str],
        read: Callable[[dict[str, Any]], _Item | None],
        of: Charge | None = None,
    ) -> tuple[_Item, ...] | GatewayRefused | GatewayUnknown:
        """Return all pages of a list, with ``of`` only that charge's items; unknown if one item is unreadable."""

        async def ask(page: int) -> Page | GatewayRefused | GatewayUnknown:
            paging = {"page": str(page), "perPage": str(PER_PAGE), "per_page": str(PER_PAGE)}
            found = await self._ask_whole("GET", path, params={**params, **paging})
            if not isinstance(found, dict):
                return found
            data, meta = found["data"], found.get("meta")
            if not isinstance(data, list) or not all(isinstance(it, dict) for it in data):
                return _UNREADABLE
            pages = exact_kobo(meta.get("pageCount")) if isinstance(meta, dict) else None
            return data, pages

        objects = await all_pages(ask)
        if not isinstance(objects, tuple):
            return objects
        ours = [it for it in objects if of is None or _transaction_of(it) == of.transaction_id]
        read_items = [read(it) for it in ours]
        known = tuple(it for it in read_items if it is not None)
        return known if len(known) == len(ours) else _UNREADABLE


def open_gateway(options: GatewayOptions) -> Paystack:
    """Return the Paystack adapter with these settings."""
    return Paystack(options.secret_key, options.url or PAYSTACK_URL)


def _kind(code: str, words: str) -> RefusalKind:
    if code == DUPLICATE_CODE or DUPLICATE_WORDS in words:
        return RefusalKind.DUPLICATE_REFERENCE
    if code == UNKNOWN_CODE or UNKNOWN_WORDS in words:
        return RefusalKind.UNKNOWN_REFERENCE
    return RefusalKind.OTHER


def _span(window: Window) -> dict[str, str]:
    return {"from": rfc3339(window.from_at), "to": rfc3339(window.to_at)}


def _charge(data: dict[str, Any]) -> Charge | None:
    amount = exact_kobo(data.get("amount"))
    status = CHARGE_STATUSES.get(str(data.get("status")))
    reference, currency, number = data.get("reference"), data.get("currency"), data.get("id")
    if amount is None or status is None or number is None:
        return None
    if not isinstance(reference, str) or not isinstance(currency, str):
        return None
    words = data.get("gateway_response")
    return Charge(
        reference=reference,
        status=status,
        amount_kobo=amount,
        currency=currency,
        fees_kobo=exact_kobo(data.get("fees")) or 0,
        requested_kobo=exact_kobo(data.get("requested_amount")),
        transaction_id=str(number),
        channel=data["channel"] if isinstance(data.get("channel"), str) else None,
        paid_at=instant(data.get("paid_at") or data.get("paidAt")),
        words=words[:200] if isinstance(words, str) else None,
        instrument=_instrument(data.get("authorization")),
    )


def _instrument(authorization: object) -> str | None:
    """Return the signature of an authorization, which Paystack makes unique for each card or bank account."""
    signature = authorization.get("signature") if isinstance(authorization, dict) else None
    return signature if isinstance(signature, str) and 1 <= len(signature) <= INSTRUMENT_LENGTH else None


def _refund(data: dict[str, Any]) -> Refund | None:
    amount, status = exact_kobo(data.get("amount")), REFUND_STATUSES.get(str(data.get("status")))
    if amount is None or status is None or data.get("id") is None:
        return None
    dispute = data.get("dispute")
    return Refund(
        status,
        amount,
        refund_id=_identifier(data["id"]),
        reference=_reference_of(data),
        dispute_id=None if dispute is None else _identifier(dispute),
    )


def _dispute(data: dict[str, Any]) -> Dispute | None:
    status = _dispute_status(str(data.get("status")), str(data.get("resolution")))
    transaction = data.get("transaction")
    claimed = exact_kobo(data.get("refund_amount"))
    if claimed is None and isinstance(transaction, dict):
        claimed = exact_kobo(transaction.get("amount"))
    if status is None or claimed is None or data.get("id") is None:
        return None
    category = data.get("category")
    return Dispute(
        dispute_id=_identifier(data["id"]),
        reference=_reference_of(data),
        status=status,
        amount_kobo=claimed,
        due_at=instant(data.get("dueAt") or data.get("due_at")),
        words=category[:200] if isinstance(category, str) else None,
    )


def _dispute_status(status: str, resolution: str) -> DisputeStatus | None:
    """Return the state of a dispute; None for an unknown resolution, which a person has to read at Paystack."""
    if status in DISPUTE_OPEN_STATUSES:
        return DisputeStatus.OPEN
    if resolution in DISPUTE_LOST_RESOLUTIONS:
        return DisputeStatus.LOST
    return DisputeStatus.WON if resolution in DISPUTE_WON_RESOLUTIONS else None


def _settlement(data: dict[str, Any]) -> Settlement | None:
    status = SETTLEMENT_STATUSES.get(str(data.get("status")))
    processed, fees = exact_kobo(data.get("total_processed")), exact_kobo(data.get("total_fees"))
    net, currency = exact_kobo(data.get(SETTLEMENT_NET)), data.get("currency")
    deductions = data.get(SETTLEMENT_DEDUCTIONS)
    deducted = 0 if deductions is None else exact_kobo(deductions)
    if status is None or processed is None or fees is None or net is None or deducted is None:
        return None
    if data.get("id") is None or not isinstance(currency, str):
        return None
    settled_at = instant(data.get("settlement_date"))
    number = _identifier(data["id"])
    return Settlement(number, status, processed, fees, deducted, net, currency, settled_at)


def _identifier(value: Any) -> str:
    """Return an id as text, also if the whole object is given in its place."""
    return str(value.get("id") if isinstance(value, dict) else value)[:64]


def _reference_of(data: dict[str, Any]) -> str | None:
    """Return the payment's reference of a refund or dispute, given as a field or in the whole transaction."""
    transaction = data.get("transaction")
    inside = transaction.get("reference") if isinstance(transaction, dict) else None
    found = data.get("transaction_reference") or inside
    return found if isinstance(found, str) else None


def _transaction_of(refund: dict[str, Any]) -> str:
    """Return the id of a refund's transaction.

    Lists have it as a number; the answer to a creation has the whole transaction.
    """
    found = refund.get("transaction")
    return str(found.get("id") if isinstance(found, dict) else found)

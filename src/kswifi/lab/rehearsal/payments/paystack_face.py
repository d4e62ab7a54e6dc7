"""The API of a rehearsal gateway that answers as Paystack does. It never uses Paystack's name, and no money moves.

Members and their types are those of Paystack's published samples (github.com/PaystackOSS/openapi 9678dea, MIT, and
the responses and events of github.com/PaystackOSS/doc-code-snippets 94af513); the values are our own. Peculiarities
of
the samples are kept: an amount in a refund event is a string, ``fees`` may be null in a charge event, and a
transaction has ``requested_amount`` in addition to ``amount``.
"""

from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.lab.rehearsal.payments.engine import Engine
from kswifi.lab.rehearsal.payments.faults import Call
from kswifi.lab.rehearsal.payments.model import Charge, ChargeStatus, GatewayRefusal, Refund, RefundStatus
from kswifi.lab.rehearsal.payments.requests import Answer, answered, has_key, read_body

SIGNATURE_HEADER: Final = "x-paystack-signature"

_STATUS: Final = {
    ChargeStatus.OPEN: "abandoned",
    ChargeStatus.PAID: "success",
    ChargeStatus.DECLINED: "failed",
    ChargeStatus.REVERSED: "reversed",
}
_REFUND_STATUS: Final = {
    RefundStatus.UNDER_WAY: "pending",
    RefundStatus.DONE: "processed",
    RefundStatus.FAILED: "failed",
}
_INTEGRATION: Final = 100_001


class _Initialize(msgspec.Struct):
    email: Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
    amount: int | str
    currency: str = "NGN"
    reference: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.=-]{1,100}$")] = ""
    callback_url: str = ""
    metadata: Any = None


class _CreateRefund(msgspec.Struct):
    transaction: str | int
    amount: int | str | None = None


class PaystackEvents:
    """Encodes webhooks as Paystack does."""

    def charge_event(self, charge: Charge) -> bytes | None:
        """Return the event of a paid charge; None for others, for which Paystack sends no event."""
        if charge.status is not ChargeStatus.PAID:
            return None
        return msgspec.json.encode({"event": "charge.success", "data": _transaction(charge) | {"fees": None}})

    def refund_event(self, charge: Charge, refund: Refund) -> bytes:
        """Return the event of a refund."""
        data = {
            "status": _REFUND_STATUS[refund.status],
            "transaction_reference": charge.reference,
            "refund_reference": str(refund.number),
            "amount": str(refund.amount_kobo),
            "currency": charge.currency,
            "processor": "rehearsal",
            "customer": {"first_name": None, "last_name": None, "email": charge.email},
            "integration": _INTEGRATION,
            "domain": "test",
        }
        return msgspec.json.encode({"event": f"refund.{data['status']}", "data": data})


class PaystackFace:
    """Those calls of Paystack's API that KSWiFi uses."""

    def __init__(self, engine: Engine, secret: str, origin: str) -> None:
        self._engine = engine
        self._secret = secret
        self._origin = origin

    def routes(self) -> list[Route]:
        """Return the routes of the calls."""
        return [
            Route("/transaction/initialize", self.initialize, methods=["POST"]),
            Route("/transaction/verify/{reference}", self.verify, methods=["GET"]),
            Route("/transaction", self.transactions, methods=["GET"]),
            Route("/refund", self.create_refund, methods=["POST"]),
            Route("/refund", self.refunds, methods=["GET"]),
        ]

    async def initialize(self, request: Request) -> Response:
        """Answer Initialize Transaction."""

        async def work() -> Answer:
            asked = await read_body(request, _Initialize)
            title = asked.metadata.get("title", "") if isinstance(asked.metadata, dict) else ""
            charge = self._engine.open(
                *(asked.reference, int(asked.amount), asked.currency, asked.email, str(title), asked.callback_url)
            )
            data = {
                "authorization_url": f"{self._origin}/checkout/{charge.token}",
                "access_code": charge.token,
                "reference": charge.reference,
            }
            return _done("Authorization URL created", data)

        return await self._answered(request, Call.INITIALIZE, work)

    async def verify(self, request: Request) -> Response:
        """Answer Verify Transaction."""

        async def work() -> Answer:
            charge = self._engine.book.by_reference(request.path_params["reference"])
            return _done("Verification successful", _transaction(charge))

        return await self._answered(request, Call.VERIFY, work)

    async def transactions(self, request: Request) -> Response:
        """Answer List Transactions with an empty list; KSWiFi calls it to test its key."""

        async def work() -> Answer:
            return _done("Transactions retrieved", [])

        return await self._answered(request, Call.VERIFY, work)

    async def create_refund(self, request: Request) -> Response:
        """Answer Create Refund."""

        async def work() -> Answer:
            asked = await read_body(request, _CreateRefund)
            charge = self._engine.book.by_reference(str(asked.transaction))
            amount = charge.amount_kobo if asked.amount is None else int(asked.amount)
            refund = self._engine.refund(charge, amount)
            return _done("Refund has been queued for processing", _refund(charge, refund, _transaction(charge)))

        return await self._answered(request, Call.REFUND, work)

    async def refunds(self, request: Request) -> Response:
        """Answer List Refunds of a transaction."""

        async def work() -> Answer:
            number = request.query_params.get("transaction", "")
            charge = self._engine.book.by_number(int(number) if number.isdigit() else 0)
            shown = [_refund(charge, it, charge.number) for it in reversed(charge.refunds)]
            return _done("Refunds retrieved", shown)

        return await self._answered(request, Call.REFUNDS, work)

    async def _answered(self, request: Request, call: Call, work: Any) -> Response:
        async def refusing() -> Answer:
            if not has_key(request, self._secret):
                return 401, {"status": False, "message": "Invalid key"}
            try:
                answer: Answer = await work()
            except GatewayRefusal as refusal:
                return 400, _refused(refusal)
            except ValueError:
                return 400, {"status": False, "message": "Invalid Amount Sent"}
            return answer

        return await answered(request, self._engine.faults, call, refusing, _changed)


def _done(message: str, data: Any) -> Answer:
    return 200, {"status": True, "message": message, "data": data}


def _refused(refusal: GatewayRefusal) -> dict[str, Any]:
    words, code, step = {
        "duplicate_reference": (
            "Duplicate Transaction Reference",
            "duplicate_reference",
            "Try and create the Transaction or Charge with a new reference",
        ),
        "unknown_reference": (
            "Transaction reference not found.",
            "transaction_not_found",
            "Ensure that you're passing the reference of a transaction that exists on this integration",
        ),
    }.get(refusal.why, (refusal.message, refusal.why, "Look at the message"))
    return {"status": False, "message": words, "meta": {"nextStep": step}, "type": "validation_error", "code": code}


def _transaction(charge: Charge) -> dict[str, Any]:
    paid = charge.status in (ChargeStatus.PAID, ChargeStatus.REVERSED)
    return {
        "id": charge.number,
        "domain": "test",
        "status": _STATUS[charge.status],
        "reference": charge.reference,
        "receipt_number": None,
        "amount": charge.amount_kobo,
        "message": None,
        "gateway_response": "Successful" if paid else "The transaction was not completed",
        "paid_at": charge.paid_at,
        "created_at": charge.created_at,
        "channel": "card",
        "currency": charge.currency,
        "ip_address": "192.0.2.1",
        "metadata": "",
        "log": None,
        "fees": charge.fees_kobo if paid else None,
        "fees_split": None,
        "authorization": {"channel": "card", "bank": "TEST BANK", "country_code": "NG"} if paid else {},
        "customer": {"id": charge.number, "email": charge.email, "phone": None},
        "plan": None,
        "order_id": None,
        "paidAt": charge.paid_at,
        "createdAt": charge.created_at,
        "requested_amount": charge.requested_kobo,
        "transaction_date": charge.created_at,
    }


def _refund(charge: Charge, refund: Refund, transaction: Any) -> dict[str, Any]:
    return {
        "id": refund.number,
        "integration": _INTEGRATION,
        "transaction": transaction,
        "domain": "test",
        "amount": refund.amount_kobo,
        "deducted_amount": 0,
        "fully_deducted": False,
        "currency": charge.currency,
        "channel": None,
        "status": _REFUND_STATUS[refund.status],
        "merchant_note": f"Refund for transaction {charge.reference}",
        "customer_note": f"Refund for transaction {charge.reference}",
        "createdAt": refund.created_at,
        "updatedAt": refund.created_at,
    }


def _changed(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with numbers as strings (as in Paystack's events), a new member, and some missing ones."""
    data = body.get("data")
    if not isinstance(data, dict):
        return body | {"a_new_member": True}
    gone = (
        "receipt_number",
        "fees_split",
        "requested_amount",
        "channel",
        "authorization",
        "log",
        "plan",
        "paid_at",
    )
    kept = {name: value for name, value in data.items() if name not in gone}
    text = {name: str(kept[name]) for name in ("id", "amount", "fees") if kept.get(name) is not None}
    return body | {"data": kept | text | {"a_new_member": {"of": ["a", "later", "version"]}}}

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
from kswifi.lab.rehearsal.payments.lists import page_of, paid_out_charges, within
from kswifi.lab.rehearsal.payments.model import (
    Charge,
    ChargeStatus,
    Dispute,
    DisputeStatus,
    GatewayRefusal,
    Refund,
    RefundStatus,
    Settlement,
)
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
_DISPUTE_STATUS: Final = {
    DisputeStatus.OPEN: ("awaiting-merchant-feedback", None),
    DisputeStatus.WON: ("resolved", "declined"),
    DisputeStatus.LOST: ("resolved", "merchant-accepted"),
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

    def dispute_event(self, charge: Charge, dispute: Dispute) -> bytes:
        """Report a dispute."""
        event = "create" if dispute.status is DisputeStatus.OPEN else "resolve"
        return msgspec.json.encode({"event": f"charge.dispute.{event}", "data": _dispute(charge, dispute)})


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
            Route("/dispute", self.disputes, methods=["GET"]),
            Route("/settlement", self.settlements, methods=["GET"]),
            Route("/settlement/{number}/transactions", self.settlement_transactions, methods=["GET"]),
        ]

    async def initialize(self, request: Request) -> Response:
        """Answer Initialize Transaction."""

        async def work() -> Answer:
            asked = await read_body(request, _Initialize)
            title = asked.metadata.get("title", "") if isinstance(asked.metadata, dict) else ""
            charge = self._engine.open(
                reference=asked.reference,
                amount_kobo=int(asked.amount),
                currency=asked.currency,
                email=asked.email,
                title=str(title),
                return_url=asked.callback_url,
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
        """Answer List Transactions."""

        async def work() -> Answer:
            found = [it for it in self._engine.book.all() if within(request, it.created_at)]
            return _page(request, "Transactions retrieved", [_transaction(it) for it in found])

        return await self._answered(request, Call.LIST, work)

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
        """Answer List Refunds, of a transaction or of a period."""

        async def work() -> Answer:
            found = [
                _refund(charge, it, charge.number)
                for charge in self._asked(request)
                for it in reversed(charge.refunds)
                if within(request, it.created_at)
            ]
            return _page(request, "Refunds retrieved", found)

        return await self._answered(request, _call(request, Call.REFUNDS), work)

    async def disputes(self, request: Request) -> Response:
        """Answer List Disputes, of a transaction or of a period."""

        async def work() -> Answer:
            found = [
                _dispute(charge, it)
                for charge in self._asked(request)
                for it in reversed(charge.disputes)
                if within(request, it.created_at)
            ]
            return _page(request, "Disputes retrieved", found)

        return await self._answered(request, _call(request, Call.DISPUTES), work)

    async def settlements(self, request: Request) -> Response:
        """Answer List Settlements."""

        async def work() -> Answer:
            found = [it for it in self._engine.book.settlements() if within(request, it.settled_at)]
            return _page(request, "Settlements retrieved", [_settlement(it) for it in found])

        return await self._answered(request, Call.LIST, work)

    async def settlement_transactions(self, request: Request) -> Response:
        """Answer List Settlement Transactions."""

        async def work() -> Answer:
            found = paid_out_charges(self._engine.book, request.path_params["number"])
            return _page(request, "Transactions retrieved", [_transaction(it) for it in found])

        return await self._answered(request, Call.LIST, work)

    def _asked(self, request: Request) -> list[Charge]:
        """Return the charge that ?transaction names, or all of them."""
        number = request.query_params.get("transaction")
        if number is None:
            return self._engine.book.all()
        return [self._engine.book.by_number(int(number) if number.isdigit() else 0)]

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


def _page(request: Request, message: str, found: list[dict[str, Any]]) -> Answer:
    paging = page_of(request, found)
    meta = {
        "total": paging.total,
        "skipped": (paging.page - 1) * paging.per_page,
        "perPage": paging.per_page,
        "page": paging.page,
        "pageCount": paging.pages,
    }
    return 200, {"status": True, "message": message, "data": list(paging.items), "meta": meta}


def _call(request: Request, of_one: Call) -> Call:
    return of_one if "transaction" in request.query_params else Call.LIST


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
        "authorization": _authorization(charge) if paid else {},
        "customer": {"id": charge.number, "email": charge.email, "phone": None},
        "plan": None,
        "order_id": None,
        "paidAt": charge.paid_at,
        "createdAt": charge.created_at,
        "requested_amount": charge.requested_kobo,
        "transaction_date": charge.created_at,
    }


def _authorization(charge: Charge) -> dict[str, Any]:
    return {"channel": "card", "bank": "TEST BANK", "country_code": "NG", "signature": charge.instrument}


def _refund(charge: Charge, refund: Refund, transaction: Any) -> dict[str, Any]:
    return {
        "id": refund.number,
        "integration": _INTEGRATION,
        "transaction": transaction,
        "transaction_reference": charge.reference,
        "dispute": None,
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


def _dispute(charge: Charge, dispute: Dispute) -> dict[str, Any]:
    status, resolution = _DISPUTE_STATUS[dispute.status]
    return {
        "id": dispute.number,
        "refund_amount": dispute.amount_kobo,
        "currency": charge.currency,
        "resolution": resolution,
        "domain": "test",
        "status": status,
        "category": "general",
        "transaction": _transaction(charge),
        "customer": {"id": charge.number, "email": charge.email},
        "dueAt": dispute.due_at,
        "resolvedAt": dispute.resolved_at,
        "createdAt": dispute.created_at,
        "history": [],
        "messages": [],
    }


def _settlement(settlement: Settlement) -> dict[str, Any]:
    return {
        "id": settlement.number,
        "integration": _INTEGRATION,
        "domain": "test",
        "status": "success",
        "currency": settlement.currency,
        "total_amount": settlement.processed_kobo - settlement.fees_kobo,
        "effective_amount": settlement.paid_out_kobo,
        "total_fees": settlement.fees_kobo,
        "total_processed": settlement.processed_kobo,
        "deductions": settlement.deductions_kobo or None,
        "settlement_date": settlement.settled_at,
        "settled_by": None,
        "createdAt": settlement.settled_at,
    }


def _changed(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with numbers as strings (as in Paystack's events), a new member, and some missing ones."""
    data = body.get("data")
    if isinstance(data, list):  # without information on pages: an empty page ends the list
        kept_body = {name: value for name, value in body.items() if name != "meta"}
        return kept_body | {"data": [_changed({"data": it})["data"] for it in data]}
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

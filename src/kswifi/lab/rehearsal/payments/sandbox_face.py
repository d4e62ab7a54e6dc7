"""The API of the sandbox gateway: four calls, lists and a webhook, each with ``"sandbox": true``."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.lab.rehearsal.payments.engine import Engine
from kswifi.lab.rehearsal.payments.faults import Call
from kswifi.lab.rehearsal.payments.lists import page_of, paid_out_charges, within
from kswifi.lab.rehearsal.payments.model import Charge, Dispute, GatewayRefusal, Refund, Settlement
from kswifi.lab.rehearsal.payments.requests import Answer, answered, has_key, read_body

SIGNATURE_HEADER: Final = "x-kswifi-sandbox-signature"

_STATUS: Final = {"duplicate_reference": 409, "unknown_reference": 404, "not_refundable": 409, "paid_already": 409}

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
KoboAmount = Annotated[int, msgspec.Meta(ge=1, le=10**12)]


class _Open(msgspec.Struct, forbid_unknown_fields=True):
    reference: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.=-]{1,64}$")]
    amount_kobo: KoboAmount
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    email: Text
    title: Text
    return_url: Text


class _Refund(msgspec.Struct, forbid_unknown_fields=True):
    amount_kobo: KoboAmount


class SandboxEvents:
    """Encodes the webhooks of the sandbox gateway."""

    def charge_event(self, charge: Charge) -> bytes:
        """Return the event for the status of a charge."""
        return _event(f"charge.{charge.status}", charge)

    def refund_event(self, charge: Charge, refund: Refund) -> bytes:
        """Return the event for the status of a refund."""
        return _event(f"refund.{refund.status}", charge)

    def dispute_event(self, charge: Charge, dispute: Dispute) -> bytes:
        """Report a dispute."""
        return _event(f"dispute.{dispute.status}", charge)


class SandboxFace:
    """The calls of the sandbox gateway's API."""

    def __init__(self, engine: Engine, secret: str, origin: str) -> None:
        self._engine = engine
        self._secret = secret
        self._origin = origin

    def routes(self) -> list[Route]:
        """Return the routes of the calls."""
        return [
            Route("/v1/charges", self.open, methods=["POST"]),
            Route("/v1/charges/{reference}", self.look, methods=["GET"]),
            Route("/v1/charges/{reference}/refunds", self.refund, methods=["POST"]),
            Route("/v1/charges/{reference}/refunds", self.refunds, methods=["GET"]),
            Route("/v1/charges/{reference}/disputes", self.disputes, methods=["GET"]),
            Route("/v1/charges", self.list_charges, methods=["GET"]),
            Route("/v1/refunds", self.list_refunds, methods=["GET"]),
            Route("/v1/disputes", self.list_disputes, methods=["GET"]),
            Route("/v1/settlements", self.list_settlements, methods=["GET"]),
            Route("/v1/settlements/{number}/charges", self.settlement_charges, methods=["GET"]),
            Route("/v1/health", self.health, methods=["GET"]),
        ]

    async def open(self, request: Request) -> Response:
        """Open a charge and its checkout page."""

        async def work() -> Answer:
            self._require_key(request)
            asked = await read_body(request, _Open)
            charge = self._engine.open(
                asked.reference, asked.amount_kobo, asked.currency, asked.email, asked.title, asked.return_url
            )
            url = f"{self._origin}/checkout/{charge.token}"
            return 201, {"reference": charge.reference, "checkout_url": url, "sandbox": True}

        return await self._answered(request, Call.INITIALIZE, work)

    async def look(self, request: Request) -> Response:
        """Answer the status of a charge."""

        async def work() -> Answer:
            return 200, _shown(self._charge(request))

        return await self._answered(request, Call.VERIFY, work)

    async def refund(self, request: Request) -> Response:
        """Accept a refund."""

        async def work() -> Answer:
            charge = self._charge(request)
            refund = self._engine.refund(charge, (await read_body(request, _Refund)).amount_kobo)
            return 201, _shown_refund(charge, refund)

        return await self._answered(request, Call.REFUND, work)

    async def refunds(self, request: Request) -> Response:
        """List the refunds of a charge, the newest first."""

        async def work() -> Answer:
            charge = self._charge(request)
            return _listed(request, [_shown_refund(charge, it) for it in reversed(charge.refunds)])

        return await self._answered(request, Call.REFUNDS, work)

    async def disputes(self, request: Request) -> Response:
        """List the disputes of a charge, the newest first."""

        async def work() -> Answer:
            charge = self._charge(request)
            return _listed(request, [_shown_dispute(charge, it) for it in reversed(charge.disputes)])

        return await self._answered(request, Call.DISPUTES, work)

    async def list_charges(self, request: Request) -> Response:
        """List the charges that were opened in a period, the newest first."""
        return await self._list(
            request, lambda: [_shown(it) for it in self._engine.book.all() if within(request, it.created_at)]
        )

    async def list_refunds(self, request: Request) -> Response:
        """List the refunds that were made in a period."""
        return await self._list(
            request,
            lambda: [
                _shown_refund(charge, it)
                for charge in self._engine.book.all()
                for it in charge.refunds
                if within(request, it.created_at)
            ],
        )

    async def list_disputes(self, request: Request) -> Response:
        """List the disputes that were opened in a period."""
        return await self._list(
            request,
            lambda: [
                _shown_dispute(charge, it)
                for charge in self._engine.book.all()
                for it in charge.disputes
                if within(request, it.created_at)
            ],
        )

    async def list_settlements(self, request: Request) -> Response:
        """List the payouts of a period, the newest first."""
        return await self._list(
            request,
            lambda: [
                _shown_settlement(it) for it in self._engine.book.settlements() if within(request, it.settled_at)
            ],
        )

    async def settlement_charges(self, request: Request) -> Response:
        """List the charges of a payout."""
        number = request.path_params["number"]
        return await self._list(request, lambda: [_shown(it) for it in paid_out_charges(self._engine.book, number)])

    async def _list(self, request: Request, find: Callable[[], list[dict[str, Any]]]) -> Response:
        async def work() -> Answer:
            self._require_key(request)
            return _listed(request, find())

        return await self._answered(request, Call.LIST, work)

    async def health(self, request: Request) -> Response:
        """Answer 200 if the key is right, else 401."""
        if not has_key(request, self._secret):
            return JSONResponse({"error": "wrong_key", "message": "wrong key", "sandbox": True}, 401)
        return JSONResponse({"sandbox": True})

    def _charge(self, request: Request) -> Charge:
        self._require_key(request)
        return self._engine.book.by_reference(request.path_params["reference"])

    def _require_key(self, request: Request) -> None:
        if not has_key(request, self._secret):
            raise GatewayRefusal("wrong_key", "wrong key")

    async def _answered(self, request: Request, call: Call, work: Any) -> Response:
        async def refusing() -> Answer:
            try:
                answer: Answer = await work()
            except GatewayRefusal as refusal:
                status = 401 if refusal.why == "wrong_key" else _STATUS.get(refusal.why, 422)
                return status, {"error": refusal.why, "message": refusal.message, "sandbox": True}
            return answer

        return await answered(request, self._engine.faults, call, refusing, _changed)


def _shown(charge: Charge) -> dict[str, Any]:
    return {
        "reference": charge.reference,
        "status": str(charge.status),
        "amount_kobo": charge.amount_kobo,
        "currency": charge.currency,
        "fees_kobo": charge.fees_kobo,
        "id": str(charge.number),
        "channel": "sandbox",
        "instrument": charge.instrument if charge.paid_at else None,
        "paid_at": charge.paid_at,
        "sandbox": True,
    }


def _shown_refund(charge: Charge, refund: Refund) -> dict[str, Any]:
    return {
        "id": str(refund.number),
        "reference": charge.reference,
        "status": str(refund.status),
        "amount_kobo": refund.amount_kobo,
        "sandbox": True,
    }


def _shown_dispute(charge: Charge, dispute: Dispute) -> dict[str, Any]:
    return {
        "id": str(dispute.number),
        "reference": charge.reference,
        "status": str(dispute.status),
        "amount_kobo": dispute.amount_kobo,
        "fee_kobo": dispute.fee_kobo,
        "due_at": dispute.due_at,
        "sandbox": True,
    }


def _shown_settlement(settlement: Settlement) -> dict[str, Any]:
    return {
        "id": str(settlement.number),
        "status": "paid_out",
        "currency": settlement.currency,
        "processed_kobo": settlement.processed_kobo,
        "fees_kobo": settlement.fees_kobo,
        "deductions_kobo": settlement.deductions_kobo,
        "paid_out_kobo": settlement.paid_out_kobo,
        "settled_at": settlement.settled_at,
        "sandbox": True,
    }


def _listed(request: Request, found: list[dict[str, Any]]) -> Answer:
    paging = page_of(request, found)
    return 200, {"items": list(paging.items), "pages": paging.pages, "sandbox": True}


def _event(name: str, charge: Charge) -> bytes:
    return msgspec.json.encode({"event": name, "reference": charge.reference, "sandbox": True})


def _changed(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as a later version could send it: with a new member and without the optional ones."""
    kept = {name: value for name, value in body.items() if name not in ("channel", "paid_at", "pages")}
    return kept | {"a_new_member": {"of": ["a", "later", "version"]}}

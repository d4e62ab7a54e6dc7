"""The API of the sandbox gateway: four calls and a webhook, each with ``"sandbox": true``."""

from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.lab.rehearsal.payments.engine import Engine
from kswifi.lab.rehearsal.payments.faults import Call
from kswifi.lab.rehearsal.payments.model import Charge, GatewayRefusal, Refund
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
            return 201, _shown_refund(refund)

        return await self._answered(request, Call.REFUND, work)

    async def refunds(self, request: Request) -> Response:
        """List the refunds of a charge, the newest first."""

        async def work() -> Answer:
            charge = self._charge(request)
            return 200, {"refunds": [_shown_refund(it) for it in reversed(charge.refunds)], "sandbox": True}

        return await self._answered(request, Call.REFUNDS, work)

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
        "transaction_id": str(charge.number),
        "channel": "sandbox",
        "paid_at": charge.paid_at,
        "sandbox": True,
    }


def _shown_refund(refund: Refund) -> dict[str, Any]:
    return {"status": str(refund.status), "amount_kobo": refund.amount_kobo, "sandbox": True}


def _event(name: str, charge: Charge) -> bytes:
    return msgspec.json.encode({"event": name, "reference": charge.reference, "sandbox": True})


def _changed(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as a later version could send it: with a new member and without the optional ones."""
    kept = {name: value for name, value in body.items() if name not in ("channel", "paid_at")}
    return kept | {"a_new_member": {"of": ["a", "later", "version"]}}

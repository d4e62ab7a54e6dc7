"""The API of a rehearsal provider that answers as VTpass does, from the samples of its documentation.

The phone numbers of VTpass's sandbox have their effects here too: 201000000000 stays pending, 500000000000 answers
something unexpected, 400000000000 and 300000000000 do not answer.
"""

import hmac
import json
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.lab.rehearsal.providers.engine import Engine, Event, EventKind
from kswifi.lab.rehearsal.providers.faults import Call, Faults, answered, never, object_of
from kswifi.lab.rehearsal.providers.model import Book, LabBundle, LabOrder, OrderState, ProviderRefusedError

CURRENCY: Final = "NGN"
PENDING_NUMBER: Final = "201000000000"
UNEXPECTED_NUMBER: Final = "500000000000"
SILENT_NUMBERS: Final = ("400000000000", "300000000000")
_LAGOS: Final = ZoneInfo("Africa/Lagos")
_SERVICES: Final = {"mtn": "mtn-data", "airtel": "airtel-data", "glo": "glo-data", "9mobile": "etisalat-data"}
_STATUS: Final = {
    OrderState.PENDING: ("pending", "TRANSACTION IS PROCESSING"),
    OrderState.COMPLETED: ("delivered", "TRANSACTION SUCCESSFUL"),
    OrderState.FAILED: ("failed", "TRANSACTION FAILED"),
    OrderState.REVERSED: ("reversed", "TRANSACTION REVERSAL"),
    OrderState.CANCELLED: ("reversed", "TRANSACTION REVERSAL"),
}
_CODE: Final = {OrderState.FAILED: "016", OrderState.REVERSED: "040", OrderState.CANCELLED: "040"}
_REFUSALS: Final = {
    "balance_low": ("018", "LOW WALLET BALANCE"),
    "sold_out": ("030", "BILLER NOT REACHABLE AT THIS POINT"),
    "bundle_unknown": ("010", "VARIATION CODE DOES NOT EXIST"),
    "invalid": ("011", "INVALID ARGUMENTS"),
    "full": ("083", "SYSTEM ERROR"),
}
_COMMISSION_PERCENT: Final = 3


def fresh_book(balance_minor: int = 5_000_000) -> Book:
    """Return a wallet in kobo, and the plans of four networks."""
    plans = (
        ("mtn", "mtn-10mb-100", "N100 100MB - 24 hrs", 100, 1, 100),
        ("mtn", "mtn-50mb-200", "N200 200MB - 2 days", 200, 2, 200),
        ("mtn", "mtn-100mb-1000", "N1000 1.5GB - 30 days", 1500, 30, 1000),
        ("mtn", "mtn-1gb-350", "N350 1GB - 1 day", 1000, 1, 350),
        ("airtel", "airt-1000-1", "Airtel Data Bundle - 1,000 Naira - 1.5GB - 30 Days", 1500, 30, 1000),
        ("glo", "glo1000", "Glo Data N1000 - 2GB - 30 days", 2000, 30, 1000),
        ("9mobile", "eti-500", "9mobile Data - 500 Naira - 500MB - 30 Days", 500, 30, 500),
    )
    bundles = {
        f"{_SERVICES[network]}/{code}": LabBundle(
            f"{_SERVICES[network]}/{code}", name, size * 10**6, days, naira * 100, ["NG"], network
        )
        for network, code, name, size, days, naira in plans
    }
    return Book(CURRENCY, balance_minor, bundles, {}, {})


class VtpassFace:
    """Those calls of VTpass's API that KSWiFi uses."""

    def __init__(self, engine: Engine, faults: Faults, key: str) -> None:
        self._engine = engine
        self._faults = faults
        self._key = key

    def routes(self) -> list[Route]:
        """Return the routes of the calls."""
        return [
            Route("/api/service-variations", self.variations, methods=["GET"]),
            Route("/api/balance", self.balance, methods=["GET"]),
            Route("/api/pay", self.pay, methods=["POST"]),
            Route("/api/requery", self.requery, methods=["POST"]),
        ]

    def webhook(self, event: Event) -> tuple[bytes, dict[str, str]] | None:
        """Return the webhook of an event; VTpass tells the outcome of pending orders, and changes of its plans."""
        if event.kind is EventKind.CATALOGUE:
            told: dict[str, Any] = {"type": "variations-update", "serviceID": "mtn-data"}
            told["summary"] = {
                "added_variation_codes": 1,
                "updated_variation_codes": 0,
                "removed_variation_codes": 0,
            }
            return json.dumps(told).encode(), {}
        order = event.order
        if event.kind is not EventKind.ORDER or order is None or order.created_at + timedelta(seconds=5) > event.at:
            return None
        return json.dumps({"type": "transaction-update", "data": self._transaction(order)}).encode(), {}

    async def variations(self, request: Request) -> Response:
        """Answer GET service-variations."""

        async def work() -> tuple[int, Any]:
            self._require_key(request, "public-key")
            service = request.query_params.get("serviceID", "")
            plans = [it for it in self._engine.book.bundles.values() if it.bundle_id.startswith(f"{service}/")]
            listed = [
                {
                    "variation_code": it.bundle_id.partition("/")[2],
                    "name": it.name,
                    "variation_amount": f"{it.price_minor // 100}.{it.price_minor % 100:02d}",
                    "fixedPrice": "Yes",
                }
                for it in plans
                if it.stock != 0
            ]
            if not plans:
                return 200, {"response_description": "011", "content": {"errors": "INVALID SERVICE ID"}}
            content = {"ServiceName": service, "serviceID": service, "convinience_fee": "0 %"}
            # One network's list has VTpass's other spelling.
            spelling = "varations" if service == "glo-data" else "variations"
            return 200, {"response_description": "000", "content": {**content, spelling: listed}}

        return await self._answered(request, Call.CATALOGUE, work)

    async def balance(self, request: Request) -> Response:
        """Answer GET balance."""

        async def work() -> tuple[int, Any]:
            self._require_key(request, "public-key")
            return 200, {"code": 1, "contents": {"balance": self._engine.book.balance_minor / 100}}

        return await self._answered(request, Call.BALANCE, work)

    async def pay(self, request: Request) -> Response:
        """Answer POST pay."""
        asked = await object_of(request)
        if asked.get("billersCode") in SILENT_NUMBERS:
            return await never(request)

        async def work() -> tuple[int, Any]:
            self._require_key(request, "secret-key")
            return 200, await self._pay(asked)

        return await self._answered(request, Call.ORDER, work)

    async def requery(self, request: Request) -> Response:
        """Answer POST requery."""
        asked = await object_of(request)

        async def work() -> tuple[int, Any]:
            self._require_key(request, "secret-key")
            order = self._engine.by_reference(str(asked.get("request_id")))
            if order is None:
                return 200, {"code": "015", "response_description": "INVALID REQUEST ID"}
            return 200, self._transaction(order)

        return await self._answered(request, Call.LOOK, work)

    async def _pay(self, asked: dict[str, Any]) -> dict[str, Any]:
        reference, number = str(asked.get("request_id")), str(asked.get("billersCode"))
        today = self._engine.clock.now().astimezone(_LAGOS).strftime("%Y%m%d")
        if len(reference) < 12 or not reference.startswith(today):
            return {"code": "085", "response_description": "IMPROPER REQUEST ID: DOES NOT CONTAIN TODAY'S DATE"}
        if self._engine.by_reference(reference) is not None:
            return {"code": "014", "response_description": "REQUEST ID ALREADY EXIST"}
        if number == UNEXPECTED_NUMBER:
            return {"code": "999", "response_description": "UNEXPECTED"}
        bundle_id = f"{asked.get('serviceID')}/{asked.get('variation_code')}"
        if self._too_soon(bundle_id, number):
            return {"code": "019", "response_description": "LIKELY DUPLICATE TRANSACTION"}
        try:
            price = self._engine.bundle(bundle_id).price_minor
            if "amount" in asked and round(float(asked["amount"]) * 100) != price:
                return {"code": "013", "response_description": "BELOW MINIMUM AMOUNT ALLOWED"}
            pending = number == PENDING_NUMBER
            order = await self._engine.buy(bundle_id, reference=reference, msisdn=number, pending=pending)
        except ProviderRefusedError as error:
            code, words = _REFUSALS.get(error.why, ("016", "TRANSACTION FAILED"))
            return {"code": code, "response_description": words}
        answer = self._transaction(order)
        if order.state is OrderState.PENDING:
            answer["code"] = "099" if order.settles_at is None else "000"
        return answer

    def _too_soon(self, bundle_id: str, number: str) -> bool:
        since = self._engine.clock.now() - timedelta(seconds=self._engine.rules.same_line_seconds)
        return any(
            it.line == number
            and it.bundle_id.partition("/")[0] == bundle_id.partition("/")[0]
            and it.created_at > since
            for it in self._engine.book.orders.values()
        )

    def _transaction(self, order: LabOrder) -> dict[str, Any]:
        bundle = self._engine.book.bundles[order.bundle_id]
        status, words = _STATUS[order.state]
        naira = order.price_minor // 100
        commission = naira * _COMMISSION_PERCENT / 100
        transaction = {
            "status": status,
            "product_name": f"{(bundle.network or '').upper()} Data",
            "unique_element": order.line,
            "unit_price": str(naira),
            "quantity": 1,
            "service_verification": None,
            "channel": "api",
            "commission": commission,
            "total_amount": naira - commission,
            "discount": None,
            "type": "Data Services",
            "email": "shop@rehearsal.test",
            "phone": order.line,
            "name": None,
            "convinience_fee": 0,
            "amount": str(naira),
            "platform": "api",
            "method": "wallet",
            "transactionId": order.number.replace("-", ""),
        }
        return {
            "code": _CODE.get(order.state, "000"),
            "content": {"transactions": transaction},
            "response_description": words,
            "requestId": order.reference,
            "amount": naira,
            "transaction_date": order.created_at.isoformat(),
            "purchased_code": "",
        }

    async def _answered(self, request: Request, call: Call, work: Any) -> Response:
        async def guarded() -> tuple[int, Any]:
            try:
                status, body = await work()
            except ProviderRefusedError as error:
                if error.why == "key":
                    return 401, "Invalid Credentials."
                raise
            return status, body

        return await answered(request, self._faults, call, guarded)

    def _require_key(self, request: Request, name: str) -> None:
        given = request.headers.get("api-key", "")
        other = request.headers.get(name, "")
        right = hmac.compare_digest(given.encode(), self._key.encode())
        if not right or not hmac.compare_digest(other.encode(), f"{self._key}-{name}".encode()):
            raise ProviderRefusedError("key", "Invalid Credentials.")


def refusal(error: ProviderRefusedError) -> Response:
    """Answer a request that the API cannot read."""
    return JSONResponse({"code": "011", "response_description": error.message}, 200)

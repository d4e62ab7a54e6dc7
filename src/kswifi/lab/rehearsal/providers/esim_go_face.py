"""The API of a rehearsal provider that answers as eSIM Go does, version 2.5, from its OpenAPI document's samples.

An order has no reference of the caller and is not idempotent. Bundles on one profile wait in a queue.
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.lab.rehearsal.providers.engine import Engine, Event, EventKind
from kswifi.lab.rehearsal.providers.faults import Call, Faults, answered, object_of
from kswifi.lab.rehearsal.providers.model import (
    Assignment,
    AssignmentState,
    Book,
    LabBundle,
    LabLine,
    LabOrder,
    OrderState,
    Profile,
    ProviderRefusedError,
)

SIGNATURE_HEADER: Final = "X-Signature-SHA256"
CURRENCY: Final = "USD"
_COUNTRIES: Final = {"NG": "Nigeria", "GH": "Ghana", "GB": "United Kingdom"}
_ALERTS: Final = {
    EventKind.USAGE: "Utilisation",
    EventKind.DEPLETED: "Utilisation",
    EventKind.FIRST_USE: "FirstUse",
    EventKind.ATTACHED: "FirstAttachment",
}
_ORDER_STATUS: Final = {OrderState.PENDING: "pending", OrderState.FAILED: "failed"}
_RUNNING: Final = (AssignmentState.QUEUED, AssignmentState.ACTIVE)


def fresh_book(balance_minor: int = 20_000) -> Book:
    """Return a balance in cents, and bundles for three countries."""
    bundles = {}
    for country, cents in (("NG", 1250), ("GH", 450), ("GB", 228)):
        for gigabytes, days in ((1, 7), (3, 30)):
            name = f"esim_{gigabytes}GB_{days}D_{country}_V2"
            words = f"eSIM, {gigabytes}GB, {days} Days, {_COUNTRIES[country]}, V2"
            bundles[name] = LabBundle(name, words, gigabytes * 10**9, days, cents * gigabytes, [country])
    name = "esim_UL_1D_NG_V2"
    bundles[name] = LabBundle(name, "eSIM, Unlimited, 1 Day, Nigeria, V2", 10**9, 1, 990, ["NG"], unlimited=True)
    return Book(CURRENCY, balance_minor, bundles, {}, {})


class EsimGoFace:
    """Those calls of eSIM Go's API that KSWiFi uses."""

    def __init__(self, engine: Engine, faults: Faults, key: str) -> None:
        self._engine = engine
        self._faults = faults
        self._key = key

    def routes(self) -> list[Route]:
        """Return the routes of the calls."""
        return [
            Route("/v2.5/organisation", self.organisation, methods=["GET"]),
            Route("/v2.5/catalogue", self.catalogue, methods=["GET"]),
            Route("/v2.5/orders", self.create_order, methods=["POST"]),
            Route("/v2.5/orders", self.orders, methods=["GET"]),
            Route("/v2.5/orders/{number}", self.order, methods=["GET"]),
            Route("/v2.5/esims/assignments", self.assignments, methods=["GET"]),
            Route("/v2.5/esims/{iccid}", self.esim, methods=["GET"]),
            Route("/v2.5/esims/{iccid}/compatible/{bundle}", self.compatible, methods=["GET"]),
            Route("/v2.5/esims/{iccid}/bundles", self.bundles, methods=["GET"]),
            Route("/v2.5/esims/{iccid}/suspend", self.suspend, methods=["POST"]),
            Route("/v2.5/esims/{iccid}/bundles/{bundle}/assignments/{number:int}", self.revoke, methods=["DELETE"]),
        ]

    def webhook(self, event: Event) -> tuple[bytes, dict[str, str]] | None:
        """Return the signed callback (V3) of an event, if eSIM Go has one for it."""
        line, alert = event.line, _ALERTS.get(event.kind)
        if alert is None or line is None or line.profile is None:
            return None
        told: dict[str, Any] = {"iccid": line.profile.iccid, "alertType": alert}
        if event.assignment is not None:
            it = event.assignment
            told["bundle"] = {
                "id": str(it.number),
                "name": it.bundle_id,
                "description": self._engine.book.bundles[it.bundle_id].name,
                "initialQuantity": it.total,
                "remainingQuantity": it.total - it.used,
                "reference": f"{it.order}-0",
                "unlimited": it.unlimited,
                **_span(it),
            }
        body = json.dumps(told).encode()
        return body, {SIGNATURE_HEADER: signature(self._key, body)}

    async def organisation(self, request: Request) -> Response:
        """Answer GET /organisation."""

        async def work() -> tuple[int, Any]:
            book = self._engine.book
            one = {
                "name": "Rehearsal",
                "currency": book.currency,
                "balance": book.balance_minor / 100,
                "testCredit": 0,
                "groups": ["Standard Fixed"],
                "users": [],
            }
            return 200, {"organisations": [one]}

        return await self._answered(request, Call.BALANCE, work)

    async def catalogue(self, request: Request) -> Response:
        """Answer GET /catalogue."""

        async def work() -> tuple[int, Any]:
            page, per_page = _number(request, "page", 1), _number(request, "perPage", 50)
            listed = [_catalogue_bundle(it) for it in self._engine.book.bundles.values() if it.stock != 0]
            return 200, {"bundles": listed[(page - 1) * per_page : page * per_page]}

        return await self._answered(request, Call.CATALOGUE, work)

    async def create_order(self, request: Request) -> Response:
        """Answer POST /orders: validate it, or carry it out."""
        asked = await object_of(request)
        buys = asked.get("type") == "transaction"

        async def work() -> tuple[int, Any]:
            item = asked["order"][0]
            line = None
            if item.get("iccids"):
                line = self._engine.line_of_iccid(item["iccids"][0])
            if not buys:
                bundle = self._engine.may_buy(item["item"], line)
                return 200, self._validation(bundle)
            order = await self._engine.buy(item["item"], line=line)
            return 200, self._order(order, whole=True)

        return await self._answered(request, Call.ORDER if buys else Call.CHECK, work)

    async def orders(self, request: Request) -> Response:
        """Answer GET /orders, newest first."""

        async def work() -> tuple[int, Any]:
            self._engine.advance()
            since = request.query_params.get("createdAt", "").removeprefix("gte:")
            start = datetime.fromisoformat(since) if since else None
            found = [it for it in self._engine.book.orders.values() if start is None or it.created_at >= start]
            found.sort(key=lambda it: it.created_at, reverse=True)
            page, limit = _number(request, "page", 1), _number(request, "limit", 10)
            whole = request.query_params.get("includeIccids") == "true"
            return 200, [self._order(it, whole=whole) for it in found[(page - 1) * limit : page * limit]]

        return await self._answered(request, Call.LOOK, work)

    async def order(self, request: Request) -> Response:
        """Answer GET /orders/{reference}."""

        async def work() -> tuple[int, Any]:
            return 200, self._order(self._find(request.path_params["number"]), whole=True)

        return await self._answered(request, Call.LOOK, work)

    async def assignments(self, request: Request) -> Response:
        """Answer GET /esims/assignments: the installation data of an order."""

        async def work() -> tuple[int, Any]:
            order = self._find(request.query_params.get("reference", ""))
            return 200, _install(self._engine.line(order.line))

        return await self._answered(request, Call.LOOK, work)

    async def esim(self, request: Request) -> Response:
        """Answer GET /esims/{iccid}."""

        async def work() -> tuple[int, Any]:
            line = self._engine.line_of_iccid(request.path_params["iccid"])
            state = "deactivated" if line.deleted else "suspended" if line.suspended else "active"
            return 200, _install(line) | {"firstInstalledDateTime": 0, "customerRef": "", "state": state}

        return await self._answered(request, Call.SWITCH, work)

    async def compatible(self, request: Request) -> Response:
        """Answer GET /esims/{iccid}/compatible/{bundle}."""

        async def work() -> tuple[int, Any]:
            line = self._engine.line_of_iccid(request.path_params["iccid"])
            try:
                self._engine.may_buy(request.path_params["bundle"], line)
            except ProviderRefusedError as error:
                return 200, {"compatible": error.why not in ("unsuitable", "bundle_unknown", "line_unknown")}
            return 200, {"compatible": True}

        return await self._answered(request, Call.CHECK, work)

    async def bundles(self, request: Request) -> Response:
        """Answer GET /esims/{iccid}/bundles, the bundles of one name together."""

        async def work() -> tuple[int, Any]:
            line = self._engine.line_of_iccid(request.path_params["iccid"])
            used = request.query_params.get("includeUsed") == "true"
            named: dict[str, list[dict[str, Any]]] = {}
            for it in line.assignments:
                if used or it.state in _RUNNING:
                    named.setdefault(it.bundle_id, []).append(self._assignment(it))
            listed = [
                {"name": name, "description": self._engine.book.bundles[name].name, "assignments": found}
                for name, found in named.items()
            ]
            return 200, {"bundles": listed}

        return await self._answered(request, Call.USAGE, work)

    async def suspend(self, request: Request) -> Response:
        """Answer POST /esims/{iccid}/suspend."""
        asked = await object_of(request)

        async def work() -> tuple[int, Any]:
            line = self._engine.line_of_iccid(request.path_params["iccid"])
            on = not asked["suspend"]
            self._engine.suspend(line, on=on)
            return 201, {"status": f"eSIM {'un' if on else ''}suspended successfully"}

        return await self._answered(request, Call.SWITCH, work)

    async def revoke(self, request: Request) -> Response:
        """Answer DELETE of an assignment, with its price returned to the balance if that was asked for."""

        async def work() -> tuple[int, Any]:
            line = self._engine.line_of_iccid(request.path_params["iccid"])
            number = request.path_params["number"]
            found = next((it for it in line.assignments if it.number == number), None)
            if found is None:
                raise ProviderRefusedError("bundle_unknown", "the bundle is not on this eSIM")
            self._engine.cancel(self._find(found.order))
            return 200, {"status": "Successfully Revoked Bundle, bundle has been refunded to balance"}

        return await self._answered(request, Call.CANCEL, work)

    def _find(self, number: str) -> LabOrder:
        self._engine.advance()
        found = self._engine.book.orders.get(number)
        if found is None:
            raise ProviderRefusedError("order_unknown", f"no order found with reference {number}")
        return found

    def _validation(self, bundle: LabBundle) -> dict[str, Any]:
        price = bundle.price_minor / 100
        item = {"type": "bundle", "item": bundle.bundle_id, "quantity": 1, "subTotal": price, "pricePerUnit": price}
        return {
            "order": [item | {"AllowReassign": False}],
            "total": price,
            "valid": True,
            "currency": self._engine.book.currency,
            "createdDate": _nanoseconds(self._engine.clock.now()),
            "assigned": True,
        }

    def _order(self, order: LabOrder, *, whole: bool) -> dict[str, Any]:
        price = order.price_minor / 100
        line = self._engine.book.lines[order.line]
        item: dict[str, Any] = {
            "type": "bundle",
            "item": order.bundle_id,
            "quantity": 1,
            "subTotal": price,
            "pricePerUnit": price,
            "AllowReassign": False,
        }
        if whole and line.profile is not None and order.state is not OrderState.PENDING:
            _, address, token = line.profile.activation_code.split("$")[:3]
            item["esims"] = [{"iccid": line.profile.iccid, "matchingId": token, "smdpAddress": address}]
            item["iccids"] = [line.profile.iccid]
        return {
            "order": [item],
            "total": price,
            "currency": self._engine.book.currency,
            "status": _ORDER_STATUS.get(order.state, "completed"),
            "statusMessage": "Order completed: 1 eSIM assigned",
            "orderReference": order.number,
            "createdDate": _nanoseconds(order.created_at),
            "assigned": True,
            "sourceIP": "127.0.0.1",
            "runningBalance": str(self._engine.book.balance_minor / 100),
        }

    def _assignment(self, it: Assignment) -> dict[str, Any]:
        used = self._engine.reported(it).used
        return {
            "id": str(it.number),
            "callTypeGroup": "data",
            "initialQuantity": it.total,
            "remainingQuantity": max(0, it.total - used),
            "assignmentDateTime": _nanoseconds(it.created_at),
            "assignmentReference": f"{it.order}-0",
            "bundleState": str(it.state),
            "unlimited": it.unlimited,
            "allowances": [],
            **_span(it),
        }

    async def _answered(self, request: Request, call: Call, work: Any) -> Response:
        async def guarded() -> tuple[int, Any]:
            given = request.headers.get("x-api-key", "")
            if not hmac.compare_digest(given.encode(), self._key.encode()):
                return 403, {"message": "Forbidden"}
            try:
                status, body = await work()
            except ProviderRefusedError as error:
                return _status(error), {"message": error.message}
            except (KeyError, IndexError, TypeError, ValueError):
                return 400, {"message": "Missing or invalid required field"}
            return status, body

        return await answered(request, self._faults, call, guarded)


def signature(key: str, body: bytes) -> str:
    """Return the signature of a callback: base64 of HMAC-SHA256 over the raw body with the API key."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def refusal(error: ProviderRefusedError) -> Response:
    """Answer a request that the API cannot read."""
    return JSONResponse({"message": error.message}, 400)


def _status(error: ProviderRefusedError) -> int:
    if error.why == "policy" or (error.why == "line_unknown" and "not found" in error.message):
        return 403
    return 410 if error.message.endswith("deactivated") else 400


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, "")
    return max(1, min(int(given), 500)) if given.isascii() and given.isdigit() and len(given) < 6 else default


def _nanoseconds(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def _span(it: Assignment) -> dict[str, str]:
    if it.starts_at is None or it.ends_at is None:
        return {}
    return {"startTime": it.starts_at.isoformat(), "endTime": it.ends_at.isoformat()}


def _catalogue_bundle(it: LabBundle) -> dict[str, Any]:
    countries = [{"name": _COUNTRIES.get(code, code), "region": "Africa", "iso": code} for code in it.countries]
    return {
        "name": it.bundle_id,
        "description": it.name,
        "groups": ["Standard Fixed"],
        "countries": countries,
        "dataAmount": it.octets // 10**6,
        "duration": it.days,
        "speed": ["2G", "3G", "4G", "5G"],
        "autostart": True,
        "unlimited": it.unlimited,
        "roamingEnabled": [],
        "price": it.price_minor / 100,
        "billingType": "FixedCost",
    }


def _install(line: LabLine) -> dict[str, Any]:
    profile = line.profile or Profile("", "LPA:1$$")
    _, address, token = profile.activation_code.split("$")[:3]
    return {
        "iccid": profile.iccid,
        "matchingId": token,
        "smdpAddress": address,
        "profileStatus": "Installed" if line.installed else "Released",
        "pin": "0000",
        "puk": "12345678",
    }

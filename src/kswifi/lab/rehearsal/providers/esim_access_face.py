"""The API of a rehearsal provider that answers as eSIM Access does, from the samples of its reference.

Every call is a POST and answers 200 with an envelope. The same ``transactionId`` again is the same order. A top-up
adds to the one counter of a profile.
"""

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.lab.rehearsal.providers.engine import Engine, Event, EventKind
from kswifi.lab.rehearsal.providers.faults import Call, Faults, answered, body_of
from kswifi.lab.rehearsal.providers.model import (
    AssignmentState,
    Book,
    LabBundle,
    LabLine,
    LabOrder,
    OrderState,
    ProviderRefusedError,
)

CURRENCY: Final = "USD"
_CODES: Final = {
    "balance_low": "200007",
    "sold_out": "200011",
    "bundle_unknown": "310243",
    "line_unknown": "310403",
    "order_unknown": "310272",
    "unsuitable": "310243",
    "in_use": "200002",
    "same_state": "200002",
    "policy": "200002",
    "allocating": "200010",
    "key": "101003",
    "invalid": "000104",
    "full": "000001",
}
_PRICE: Final = 100
"""Prices are in 1/10,000 of a dollar: a hundred in a cent."""
_SMDP_EVENTS: Final = (EventKind.INSTALLED,)


def fresh_book(balance_minor: int = 20_000) -> Book:
    """Return a balance in cents, with packages and top-ups for two countries."""
    bundles = {}
    for country, cents in (("NG", 1180), ("GH", 420)):
        for gigabytes, days in ((1, 7), (3, 30)):
            code = f"P{country}{gigabytes}{days}"
            words = f"{country} {gigabytes}GB {days}Days"
            size, price = gigabytes * 2**30, cents * gigabytes
            bundles[code] = LabBundle(code, words, size, days, price, [country])
            bundles[f"TOPUP_{code}"] = LabBundle(f"TOPUP_{code}", words, size, days, price, [country], top_up=True)
    code = "PNG17I"
    bundles[code] = LabBundle(code, "NG 1GB 7Days at install", 2**30, 7, 1100, ["NG"], starts_at_install=True)
    return Book(CURRENCY, balance_minor, bundles, {}, {})


class EsimAccessFace:
    """Those calls of eSIM Access's API that KSWiFi uses. ``key`` is the access code; the secret is it twice."""

    def __init__(self, engine: Engine, faults: Faults, key: str) -> None:
        self._engine = engine
        self._faults = faults
        self._key = key
        engine.rules.merges = True

    def routes(self) -> list[Route]:
        """Return the routes of the calls."""
        calls = {
            "package/list": self.packages,
            "balance/query": self.balance,
            "esim/order": self.order,
            "esim/query": self.query,
            "esim/usage/query": self.usage,
            "esim/topup": self.top_up,
            "esim/suspend": self.suspend,
            "esim/unsuspend": self.unsuspend,
            "esim/cancel": self.cancel,
        }
        return [Route(f"/api/v1/open/{path}", call, methods=["POST"]) for path, call in calls.items()]

    def webhook(self, event: Event) -> tuple[bytes, dict[str, str]] | None:
        """Return the webhook of an event. They are not signed."""
        line, order = event.line, event.order
        if event.kind is EventKind.ORDER and order is not None and order.state is OrderState.COMPLETED:
            content: dict[str, Any] = {"orderNo": order.number, "orderStatus": "GOT_RESOURCE"}
            if order.reference is not None:
                content["transactionId"] = order.reference
            return json.dumps({"notifyType": "ORDER_STATUS", "content": content}).encode(), {}
        if (
            line is None
            or line.profile is None
            or event.kind
            not in (
                EventKind.INSTALLED,
                EventKind.USAGE,
                EventKind.DEPLETED,
                EventKind.EXPIRED,
            )
        ):
            return None
        content = {**self._names(line), "esimStatus": self._esim_status(line), "smdpStatus": _smdp_status(line)}
        kind = "SMDP_EVENT" if event.kind in _SMDP_EVENTS else "ESIM_STATUS"
        if kind == "SMDP_EVENT":
            content["eid"] = line.eid
        if event.kind is EventKind.USAGE and event.assignment is not None:
            kind, left = "DATA_USAGE", event.assignment.total - event.assignment.used
            content |= {"totalVolume": event.assignment.total, "orderUsage": event.assignment.used, "remain": left}
        told = {"notifyType": kind, "eventGenerateTime": _utc(event.at), "content": content}
        told["notifyId"] = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
        return json.dumps(told).encode(), {}

    async def packages(self, request: Request) -> Response:
        """Answer package/list."""

        async def work(asked: dict[str, Any]) -> Any:
            top_up = asked.get("type") == "TOPUP"
            found = [it for it in self._engine.book.bundles.values() if it.top_up is top_up]
            if asked.get("packageCode"):
                found = [it for it in found if it.bundle_id == asked["packageCode"]]
            if asked.get("iccid"):
                line = self._engine.line_of_iccid(asked["iccid"])
                countries = {
                    code for it in line.assignments for code in self._engine.bundle(it.bundle_id).countries
                }
                found = [it for it in found if set(it.countries) & countries]
            return {"packageList": [self._package(it) for it in found if it.stock != 0]}

        return await self._answered(request, Call.CATALOGUE, work)

    async def balance(self, request: Request) -> Response:
        """Answer balance/query."""

        async def work(asked: dict[str, Any]) -> Any:
            del asked
            return {"balance": self._engine.book.balance_minor * _PRICE}

        return await self._answered(request, Call.BALANCE, work)

    async def order(self, request: Request) -> Response:
        """Answer esim/order."""

        async def work(asked: dict[str, Any]) -> Any:
            reference, package = str(asked["transactionId"]), asked["packageInfoList"][0]
            if not 0 < len(reference) <= 50:
                raise ProviderRefusedError("invalid", "transactionId has 1 to 50 characters")
            order = self._engine.by_reference(reference)
            if order is None:
                order = await self._engine.buy(str(package["packageCode"]), reference=reference)
            return {"orderNo": order.number}

        return await self._answered(request, Call.ORDER, work)

    async def top_up(self, request: Request) -> Response:
        """Answer esim/topup."""

        async def work(asked: dict[str, Any]) -> Any:
            reference, line = str(asked["transactionId"]), self._engine.line(str(asked["esimTranNo"]))
            if self._engine.by_reference(reference) is None:
                if not self._engine.bundle(str(asked["packageCode"])).top_up:
                    raise ProviderRefusedError("bundle_unknown", "this package is no top-up")
                await self._engine.buy(str(asked["packageCode"]), reference=reference, line=line)
            return {"transactionId": reference, **self._totals(line)}

        return await self._answered(request, Call.ORDER, work)

    async def query(self, request: Request) -> Response:
        """Answer esim/query: by order, by profile, or all of a span of time."""

        async def work(asked: dict[str, Any]) -> Any:
            pager = asked["pager"]
            if asked.get("esimTranNo"):
                line = self._engine.line(str(asked["esimTranNo"]))
                listed = [self._profile(self._first_order(line), line)]
            elif asked.get("orderNo"):
                listed = [self._ready(self._find(str(asked["orderNo"])))]
            else:
                start, end = (datetime.fromisoformat(asked[it]) for it in ("startTime", "endTime"))
                self._engine.advance()
                orders = [it for it in self._engine.book.orders.values() if start <= it.created_at <= end]
                ready = [it for it in orders if not it.top_up and it.state is not OrderState.PENDING]
                listed = [self._profile(it, self._engine.line(it.line)) for it in ready]
            first = (int(pager["pageNum"]) - 1) * int(pager["pageSize"])
            return {
                "esimList": listed[first : first + int(pager["pageSize"])],
                "pager": {**pager, "total": len(listed)},
            }

        return await self._answered(request, Call.LOOK, work)

    async def usage(self, request: Request) -> Response:
        """Answer esim/usage/query."""

        async def work(asked: dict[str, Any]) -> Any:
            numbers = asked["esimTranNoList"]
            if not isinstance(numbers, list) or len(numbers) > 10:
                raise ProviderRefusedError("invalid", "at most ten profiles")
            found = []
            for number in numbers:
                line = self._engine.book.lines.get(str(number))
                if line is None or not line.assignments:
                    continue
                reading = self._engine.reported(line.assignments[0])
                found.append(
                    {
                        "esimTranNo": line.number,
                        "dataUsage": reading.used,
                        "totalData": line.assignments[0].total,
                        "lastUpdateTime": _utc(reading.at) if reading.used else None,
                    }
                )
            return {"esimUsageList": found}

        return await self._answered(request, Call.USAGE, work)

    async def suspend(self, request: Request) -> Response:
        """Answer esim/suspend."""
        return await self._switch(request, on=False)

    async def unsuspend(self, request: Request) -> Response:
        """Answer esim/unsuspend."""
        return await self._switch(request, on=True)

    async def cancel(self, request: Request) -> Response:
        """Answer esim/cancel: only for a profile that was not installed."""

        async def work(asked: dict[str, Any]) -> Any:
            line = self._engine.line(str(asked["esimTranNo"]))
            if line.installed:
                raise ProviderRefusedError("in_use", "the profile was installed")
            self._engine.cancel(self._first_order(line))
            self._engine.delete(line)
            return {}

        return await self._answered(request, Call.CANCEL, work)

    async def _switch(self, request: Request, *, on: bool) -> Response:
        async def work(asked: dict[str, Any]) -> Any:
            self._engine.suspend(self._engine.line(str(asked["esimTranNo"])), on=on)
            return {}

        return await self._answered(request, Call.SWITCH, work)

    def _find(self, number: str) -> LabOrder:
        self._engine.advance()
        found = self._engine.book.orders.get(number)
        if found is None:
            raise ProviderRefusedError("order_unknown", "the order does not exist")
        return found

    def _ready(self, order: LabOrder) -> dict[str, Any]:
        if order.state is OrderState.PENDING:
            raise ProviderRefusedError("allocating", "the eSIM is being allocated")
        return self._profile(order, self._engine.line(order.line))

    def _first_order(self, line: LabLine) -> LabOrder:
        return next(it for it in self._engine.book.orders.values() if it.line == line.number)

    def _names(self, line: LabLine) -> dict[str, Any]:
        order = self._first_order(line)
        iccid = "" if line.profile is None else line.profile.iccid
        names = {"orderNo": order.number, "esimTranNo": line.number, "iccid": iccid}
        return names if order.reference is None else {**names, "transactionId": order.reference}

    def _totals(self, line: LabLine) -> dict[str, Any]:
        iccid = "" if line.profile is None else line.profile.iccid
        totals: dict[str, Any] = {"iccid": iccid, "totalVolume": 0, "totalDuration": 0, "orderUsage": 0}
        if line.assignments:
            it = line.assignments[0]
            ends = it.ends_at or it.created_at + timedelta(days=180)
            totals |= {"totalVolume": it.total, "totalDuration": it.days, "orderUsage": it.used}
            totals["expiredTime"] = _utc(ends)
        return totals

    def _profile(self, order: LabOrder, line: LabLine) -> dict[str, Any]:
        profile = line.profile
        mine = [it for it in self._engine.book.orders.values() if it.line == line.number]
        return {
            **self._names(line),
            "imsi": "234330000000001",
            "msisdn": "",
            "smsStatus": 0,
            "ac": "" if profile is None else profile.activation_code,
            "qrCodeUrl": f"https://p.rehearsal.test/{line.number}.png",
            "shortUrl": f"https://p.rehearsal.test/{line.number}",
            "smdpStatus": _smdp_status(line),
            "esimStatus": self._esim_status(line),
            "eid": line.eid,
            "apn": "" if profile is None else profile.apn or "",
            "activeType": 2,
            "dataType": 1,
            "durationUnit": "DAY",
            "packageList": [
                {
                    "packageName": self._engine.book.bundles[it.bundle_id].name,
                    "packageCode": it.bundle_id,
                    "slug": it.bundle_id.lower(),
                    "duration": self._engine.book.bundles[it.bundle_id].days,
                    "volume": self._engine.book.bundles[it.bundle_id].octets,
                    "locationCode": ",".join(self._engine.book.bundles[it.bundle_id].countries),
                    "createTime": _utc(it.created_at),
                }
                for it in mine
            ],
            **self._totals(line),
            "orderNo": order.number,
        }

    def _esim_status(self, line: LabLine) -> str:
        order = self._first_order(line)
        if order.state is OrderState.CANCELLED:
            return "CANCEL"
        states = {it.state for it in line.assignments}
        if line.suspended:
            return "SUSPENDED"
        if AssignmentState.ACTIVE in states or AssignmentState.QUEUED in states:
            return "IN_USE" if line.installed else "GOT_RESOURCE"
        if AssignmentState.DEPLETED in states:
            return "USED_UP"
        return "USED_EXPIRED" if AssignmentState.EXPIRED in states else "REVOKED"

    def _package(self, it: LabBundle) -> dict[str, Any]:
        return {
            "packageCode": it.bundle_id,
            "slug": it.bundle_id.lower(),
            "name": it.name,
            "price": it.price_minor * _PRICE,
            "currencyCode": self._engine.book.currency,
            "volume": it.octets,
            "smsStatus": 0,
            "dataType": 1,
            "unusedValidTime": 180,
            "duration": it.days,
            "durationUnit": "DAY",
            "location": ",".join(it.countries),
            "description": it.name,
            "activeType": 1 if it.starts_at_install else 2,
            "favorite": False,
            "speed": "3G/4G/5G",
            "supportTopUpType": 2,
            "ipExport": "UK",
        }

    async def _answered(self, request: Request, call: Call, work: Any) -> Response:
        body = await body_of(request)

        async def guarded() -> tuple[int, Any]:
            try:
                self._require_key(request, body)
                asked = json.loads(body or b"{}")
                return 200, _envelope(await work(asked))
            except ProviderRefusedError as error:
                return 200, _refused(error)
            except (KeyError, IndexError, TypeError, ValueError):
                return 200, _refused(ProviderRefusedError("invalid", "a parameter is missing or wrong"))

        return await answered(request, self._faults, call, guarded)

    def _require_key(self, request: Request, body: bytes) -> None:
        code = request.headers.get("rt-accesscode", "")
        right = hmac.compare_digest(code.encode(), self._key.encode())
        if right and "rt-signature" in request.headers:
            parts = [request.headers.get(it, "") for it in ("rt-timestamp", "rt-requestid", "rt-accesscode")]
            secret = f"{self._key}{self._key}".encode()
            expected = hmac.new(secret, "".join(parts).encode() + body, hashlib.sha256).hexdigest()
            right = hmac.compare_digest(request.headers["rt-signature"].encode(), expected.encode())
        if not right:
            raise ProviderRefusedError("key", "the signature is wrong")


def refusal(error: ProviderRefusedError) -> Response:
    """Answer a request that the API cannot read."""
    return JSONResponse(_refused(error))


def _envelope(found: Any) -> dict[str, Any]:
    return {"success": True, "errorCode": "0", "errorMsg": None, "obj": found}


def _refused(error: ProviderRefusedError) -> dict[str, Any]:
    return {"success": False, "errorCode": _CODES.get(error.why, "000001"), "errorMsg": error.message, "obj": None}


def _smdp_status(line: LabLine) -> str:
    return "ENABLED" if line.installed else "RELEASED"


def _utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+0000")

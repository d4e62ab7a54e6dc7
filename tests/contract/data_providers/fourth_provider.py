"""A fourth vendor, which does not exist: its adapter, and its face over the rehearsal engine. An example to copy.

Its API is plain: an order is PUT under our reference, so it is idempotent. It cannot switch a line off.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.kernel.clock import Clock
from kswifi.lab.rehearsal.providers.engine import Engine, Event
from kswifi.lab.rehearsal.providers.faults import Call, Faults, answered, object_of
from kswifi.lab.rehearsal.providers.model import Book, LabBundle, LabOrder, ProviderRefusedError
from kswifi.lab.rehearsal.providers.server import FaceEntry
from kswifi.providers.data.provider_http import Answer, ProviderClient, json_body, not_allowed
from kswifi.providers.data.registry import ProviderEntry, ProviderOptions
from kswifi.providers.data.values import installation_of, money, objects, text, whole, words
from kswifi.supply.model import Money
from kswifi.supply.ports import (
    Ambiguous,
    Bundle,
    BundleUsage,
    Capabilities,
    Delivery,
    Done,
    LineRef,
    Notice,
    NotThere,
    Ordered,
    OrderIntent,
    OrderStage,
    OrderStatus,
    Price,
    Refunded,
    RefusalKind,
    Refused,
    ServiceStatus,
    Stacking,
    StartsAt,
    Suspension,
    Unknown,
)

UNCONFIRMED: Final = ("everything: this vendor does not exist",)
CAPABILITIES: Final = Capabilities(
    delivers=Delivery.PROFILE,
    tells_installation=False,
    starts_at=StartsAt.FIRST_DATA,
    roams=True,
    tethering=True,
    stacking=Stacking.SINGLE,
    suspension=Suspension.NONE,
    usage_lag_seconds=None,
    idempotent=True,
    cancels_unused=False,
    top_up=False,
    ends_bundle=True,
    spends_nearest_expiry_first=False,
    absence_looks=2,
    absence_seconds=60,
    requests_per_second=1.0,
    lines_per_usage_call=0,
)
REASONS: Final = {
    "balance_low": RefusalKind.BALANCE_LOW,
    "sold_out": RefusalKind.SOLD_OUT,
    "bundle_unknown": RefusalKind.BUNDLE_UNKNOWN,
}
STAGES: Final = {"pending": OrderStage.PENDING, "completed": OrderStage.ALLOCATED, "failed": OrderStage.FAILED}
_NO_SUCH_CALL: Final = Refused(RefusalKind.UNSUPPORTED, "this vendor has no such call")


class Fourth:
    """The adapter."""

    name = "fourth"
    capabilities = CAPABILITIES
    webhook_answer = "{}"

    def __init__(self, options: ProviderOptions, clock: Clock) -> None:
        del clock
        self.sandbox = options.sandbox
        headers = {"Authorization": f"Bearer {options.api_key}"}
        self._http = ProviderClient("Fourth", options.url or "https://fourth.test", headers, options.answer_seconds)

    def reference(self, asked_at: datetime, unique: str) -> str:
        """Return the unique part."""
        del asked_at
        return unique

    async def catalogue(self) -> tuple[Bundle, ...] | Refused | Unknown:
        """List the bundles."""
        answer = await self._ask("GET", "/bundles")
        if not isinstance(answer, Answer):
            return answer
        if not isinstance(answer.body, list):
            return Unknown("the list cannot be read")
        return tuple(it for it in map(_bundle, objects(answer.body)) if it is not None)

    async def balance(self) -> Money | Refused | Unknown:
        """Read the balance."""
        answer = await self._ask("GET", "/balance")
        if not isinstance(answer, Answer):
            return answer
        found = money(answer.fields.get("cents"), answer.fields.get("currency"), 1, up=False)
        return found or Unknown("the balance cannot be read")

    async def check(self, bundle: Bundle, line: LineRef | None) -> Price | Refused | Unknown:
        """Return the price of the day."""
        del line
        found = await self.catalogue()
        if not isinstance(found, tuple):
            return found
        same = next((it for it in found if it.bundle_id == bundle.bundle_id), None)
        return Price(same.price) if same else Refused(RefusalKind.BUNDLE_UNKNOWN, "it is not sold")

    async def order(self, intent: OrderIntent) -> Ordered | Refused | Unknown:
        """Put an order."""
        body = {"bundle": intent.bundle_id, "currency": intent.price.currency}
        answer = await self._ask("PUT", f"/orders/{intent.reference}", body)
        if not isinstance(answer, Answer):
            return answer
        status = _status(answer, intent)
        return Ordered(status) if isinstance(status, OrderStatus) else status

    async def look(
        self, intent: OrderIntent, owned: frozenset[str] = frozenset()
    ) -> OrderStatus | NotThere | Ambiguous | Unknown:
        """Get an order."""
        del owned
        answer = await self._ask("GET", f"/orders/{intent.reference}")
        if isinstance(answer, Refused):
            return NotThere() if answer.kind is RefusalKind.OTHER else Unknown(answer.words)
        return _status(answer, intent) if isinstance(answer, Answer) else answer

    async def usage(self, lines: Sequence[LineRef]) -> tuple[BundleUsage, ...] | Refused | Unknown:
        """Refuse: this vendor reports no usage."""
        del lines
        return _NO_SUCH_CALL

    async def set_service(self, line: LineRef, on: bool) -> Done | Refused | Unknown:
        """Refuse."""
        del line, on
        return _NO_SUCH_CALL

    async def service(self, line: LineRef) -> ServiceStatus | Refused | Unknown:
        """Refuse."""
        del line
        return _NO_SUCH_CALL

    async def cancel(self, intent: OrderIntent) -> Refunded | Refused | Unknown:
        """Refuse."""
        del intent
        return _NO_SUCH_CALL

    def read_webhook(self, headers: Mapping[str, str], body: bytes, sender: str) -> tuple[Notice, ...]:
        """Return nothing: this vendor sends none."""
        del headers, body, sender
        return ()

    async def probe(self) -> str | None:
        """Read the balance."""
        found = await self.balance()
        return None if isinstance(found, Money) else found.words

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer | Refused | Unknown:
        answer = await self._http.ask(method, path, content=None if body is None else json_body(body))
        if isinstance(answer, Unknown) or answer.status < 300:
            return answer
        if answer.status in (401, 403):
            return not_allowed("Fourth", answer.status)
        reason = text(answer.fields.get("reason"))
        if reason is None:
            return Unknown(f"HTTP {answer.status} without a reason")
        return Refused(REASONS.get(reason, RefusalKind.OTHER), words(reason) or "refused")


def open_provider(options: ProviderOptions, clock: Clock) -> Fourth:
    """Return the adapter with these settings."""
    return Fourth(options, clock)


def _status(answer: Answer, intent: OrderIntent) -> OrderStatus | Unknown:
    found = answer.fields
    stage, charged = (
        STAGES.get(str(found.get("state"))),
        money(found.get("cents"), found.get("currency"), 1, up=True),
    )
    if stage is None or found.get("reference") != intent.reference or found.get("bundle") != intent.bundle_id:
        return Unknown("this is another order")
    if charged is None or charged.currency != intent.price.currency:
        return Unknown("the amount cannot be read, or is in another currency")
    line, inside = text(found.get("line")), installation_of(found.get("code"))
    if stage is OrderStage.ALLOCATED and (line is None or inside is None):
        return Unknown("the profile cannot be read")
    ref = None if line is None else LineRef(line, iccid=text(found.get("iccid")))
    return OrderStatus(intent.reference, stage, line, ref, inside, charged, intent.bundle_id)


def _bundle(one: dict[str, Any]) -> Bundle | None:
    name, price = text(one.get("id")), money(one.get("cents"), one.get("currency"), 1, up=True)
    octets, days = whole(one.get("octets")), whole(one.get("days"))
    if name is None or price is None or not octets or not days:
        return None
    return Bundle(name, name, ("NG",), None, octets, False, days, price)


class FourthFace:
    """Its API over the engine."""

    def __init__(self, engine: Engine, faults: Faults, key: str) -> None:
        self._engine, self._faults, self._key = engine, faults, key

    def routes(self) -> list[Route]:
        """Return the routes of its calls."""
        return [
            Route("/bundles", self.bundles),
            Route("/balance", self.balance),
            Route("/orders/{reference}", self.put, methods=["PUT"]),
            Route("/orders/{reference}", self.look, methods=["GET"]),
        ]

    def webhook(self, event: Event) -> None:
        """Return nothing: this vendor sends none."""
        del event

    async def bundles(self, request: Request) -> Response:
        """List the bundles."""
        book = self._engine.book

        async def work() -> tuple[int, Any]:
            return 200, [
                {
                    "id": it.bundle_id,
                    "cents": it.price_minor,
                    "currency": book.currency,
                    "octets": it.octets,
                    "days": it.days,
                }
                for it in book.bundles.values()
            ]

        return await self._answered(request, Call.CATALOGUE, work)

    async def balance(self, request: Request) -> Response:
        """Read the balance."""

        async def work() -> tuple[int, Any]:
            return 200, {"cents": self._engine.book.balance_minor, "currency": self._engine.book.currency}

        return await self._answered(request, Call.BALANCE, work)

    async def put(self, request: Request) -> Response:
        """Take an order."""
        asked, reference = await object_of(request), request.path_params["reference"]

        async def work() -> tuple[int, Any]:
            order = self._engine.by_reference(reference)
            if order is None and asked.get("currency") == self._engine.book.currency:
                order = await self._engine.buy(str(asked.get("bundle")), reference=reference)
            return (200, self._order(order)) if order else (422, {"reason": "currency"})

        return await self._answered(request, Call.ORDER, work)

    async def look(self, request: Request) -> Response:
        """Return an order."""

        async def work() -> tuple[int, Any]:
            order = self._engine.by_reference(request.path_params["reference"])
            return (200, self._order(order)) if order else (404, {"reason": "unknown"})

        return await self._answered(request, Call.LOOK, work)

    def _order(self, order: LabOrder) -> dict[str, Any]:
        profile = self._engine.line(order.line).profile
        assert profile is not None
        found = {"reference": order.reference, "bundle": order.bundle_id, "state": str(order.state)}
        found |= {"line": order.line, "iccid": profile.iccid, "code": profile.activation_code}
        return {**found, "cents": order.price_minor, "currency": self._engine.book.currency}

    async def _answered(self, request: Request, call: Call, work: Any) -> Response:
        async def guarded() -> tuple[int, Any]:
            if request.headers.get("authorization") != f"Bearer {self._key}":
                return 401, {"reason": "key"}
            try:
                found: tuple[int, Any] = await work()
            except ProviderRefusedError as error:
                return 422, {"reason": error.why}
            return found

        return await answered(request, self._faults, call, guarded)


def _fresh_book() -> Book:
    return Book("USD", 20_000, {"ng-1": LabBundle("ng-1", "ng-1", 10**9, 7, 900, ["NG"])}, {}, {})


def _refusal(error: ProviderRefusedError) -> Response:
    return JSONResponse({"reason": error.why}, 422)


LINE: Final = ProviderEntry("tests.contract.data_providers.fourth_provider", ("api_key",), has_sandbox=False)
"""Its line in the registry."""
FACE: Final = FaceEntry(FourthFace, _fresh_book, _refusal, "")
"""Its line in the list of faces."""

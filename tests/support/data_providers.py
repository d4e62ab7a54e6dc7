"""A data provider's adapter in front of a rehearsal of its vendor, over real HTTP on loopback."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.kernel.listening import loopback_socket
from kswifi.lab.rehearsal.providers.engine import Rules
from kswifi.lab.rehearsal.providers.faults import Call, Fault, Wrong
from kswifi.lab.rehearsal.providers.model import LabLine
from kswifi.lab.rehearsal.providers.server import FACES, ProviderConfig, RunningProvider, serving_provider
from kswifi.listeners.http_server import HttpServer
from kswifi.providers.data.registry import ProviderOptions, open_provider
from kswifi.supply.model import Money
from kswifi.supply.ports import (
    Bundle,
    DataProvider,
    Delivery,
    LineRef,
    Ordered,
    OrderIntent,
    OrderStatus,
)
from tests.support.clocks import ManualClock

KEY: Final = "rehearsal-key-0001"
START: Final = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
NUMBER: Final = "+2348031234567"
FACE_NAMES: Final = tuple(FACES)
BUNDLES: Final = {"vtpass": "mtn-data/mtn-1gb-350", "esim_go": "esim_1GB_7D_NG_V2", "esim_access": "PNG17"}
"""A bundle of about 1 GB of each vendor."""
TOP_UPS: Final = {"vtpass": "mtn-data/mtn-10mb-100", "esim_go": "esim_3GB_30D_NG_V2", "esim_access": "TOPUP_PNG330"}
"""A second bundle for the same line."""
FOREIGN: Final = {"vtpass": "airtel-data/airt-1000-1", "esim_go": "esim_1GB_7D_GH_V2", "esim_access": "TOPUP_PGH17"}
"""A bundle that the line cannot take."""
OFTEN: Final = Rules(same_line_seconds=0)


def options(name: str, url: str, *, key: str = KEY, answer_seconds: float = 5.0) -> ProviderOptions:
    """Return the options of an adapter that calls a rehearsal, with webhooks from this machine."""
    secret = {"vtpass": f"{key}-secret-key", "esim_access": f"{key}{key}"}.get(name, "")
    return ProviderOptions(
        api_key=key,
        public_key=f"{key}-public-key",
        secret_key=secret,
        sandbox=True,
        url=url,
        webhook_senders=("127.0.0.0/8",),
        refunds=True,
        answer_seconds=answer_seconds,
    )


@dataclass
class Rehearsed:
    """An adapter, the rehearsal behind it, and the webhooks that came."""

    name: str
    provider: DataProvider
    running: RunningProvider
    clock: ManualClock
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def onto_line(self) -> bool:
        """Tell whether the provider loads a person's own line."""
        return self.provider.capabilities.delivers is Delivery.ONTO_LINE

    @property
    def person(self) -> LineRef | None:
        """Return the person's line; None for a provider that issues a profile."""
        return LineRef(NUMBER, msisdn=NUMBER, network="mtn") if self.onto_line else None

    @property
    def balance(self) -> int:
        """Return the balance at the provider, in minor units."""
        return self.running.engine.book.balance_minor

    def fault(self, wrong: Wrong, call: Call | None = None, times: int = 1, seconds: int = 1) -> None:
        """Inject a fault."""
        self.running.faults.tell(Fault(wrong, call, times, seconds))

    async def bundle(self, bundle_id: str | None = None) -> Bundle:
        """Return a bundle of the catalogue."""
        found = await self.provider.catalogue()
        assert isinstance(found, tuple), found
        wanted = bundle_id or BUNDLES[self.name]
        return next(it for it in found if it.bundle_id == wanted)

    def intent(self, bundle_id: str | None = None, line: LineRef | None = None) -> OrderIntent:
        """Return a new intent at the price of the day."""
        bundle_id = bundle_id or BUNDLES[self.name]
        book = self.running.engine.book
        price = book.bundles[bundle_id].price_minor if bundle_id in book.bundles else 100
        now = self.clock.now()
        reference = self.provider.reference(now, f"{next(self.numbers):020d}")
        return OrderIntent(reference, bundle_id, Money(price, book.currency), now, line or self.person)

    async def bought(self, bundle_id: str | None = None, line: LineRef | None = None) -> OrderIntent:
        """Buy a bundle; return its intent, with the provider's id."""
        intent = self.intent(bundle_id, line)
        ordered = await self.provider.order(intent)
        assert isinstance(ordered, Ordered), ordered
        return replace(intent, provider_ref=ordered.status.provider_ref)

    async def looked(self, intent: OrderIntent, owned: frozenset[str] = frozenset()) -> OrderStatus:
        """Look up an order, which has to be there."""
        found = await self.provider.look(intent, owned)
        assert isinstance(found, OrderStatus), found
        return found

    async def line(self, intent: OrderIntent) -> LineRef:
        """Return the line of an order that was allocated."""
        found = await self.looked(intent)
        assert found.line is not None
        return found.line

    def lab_line(self, line: LineRef) -> LabLine:
        """Return a line at the rehearsal."""
        engine = self.running.engine
        number = f"0{line.msisdn[4:]}" if line.msisdn else line.provider_ref
        if number in engine.book.lines:
            return engine.line(number)
        return engine.line_of_iccid(line.iccid or "")

    async def told(self, count: int) -> None:
        """Wait until so many webhooks came."""
        async with asyncio.timeout(20):
            while len(self.heard) < count:  # noqa: ASYNC110 - a server appends; nobody sets an event
                await asyncio.sleep(0.01)

    def calls(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """Return one of each call of the port."""
        provider, intent = self.provider, self.intent()
        known = replace(intent, provider_ref="00000001-00000000")
        line = self.person or LineRef("T000000000001", iccid="8943108160000000001")
        bundle = Bundle(intent.bundle_id, "a bundle", ("NG",), None, 10**9, False, 7, intent.price)
        return {
            "catalogue": provider.catalogue,
            "balance": provider.balance,
            "check": lambda: provider.check(bundle, line if self.onto_line else None),
            "order": lambda: provider.order(intent),
            "look": lambda: provider.look(intent),
            "look known": lambda: provider.look(known),
            "usage": lambda: provider.usage([line]),
            "set_service": lambda: provider.set_service(line, False),
            "service": lambda: provider.service(line),
            "cancel": lambda: provider.cancel(known),
        }


@asynccontextmanager
async def rehearsed(
    name: str, rules: Rules | None = None, *, answer_seconds: float = 5.0, key: str = KEY
) -> AsyncIterator[Rehearsed]:
    """Serve a rehearsal of a vendor, and open its adapter. ``key`` is the adapter's key."""
    heard: list[tuple[dict[str, str], bytes]] = []

    async def webhook(request: Request) -> Response:
        heard.append((dict(request.headers), await request.body()))
        return Response(status_code=204)

    async with serving({"/webhooks": webhook}) as shop:
        clock = ManualClock(START)
        config = ProviderConfig(
            face=name, key=KEY, webhook_url=f"{shop}/webhooks", rules=rules, retry_seconds=0.02, clock=clock
        )
        async with serving_provider(config) as running:
            provider = open_provider(
                name, options(name, running.url, key=key, answer_seconds=answer_seconds), clock
            )
            try:
                yield Rehearsed(name, provider, running, clock, heard)
            finally:
                await provider.close()


@asynccontextmanager
async def serving(routes: dict[str, Callable[[Request], Awaitable[Response]]]) -> AsyncIterator[str]:
    """Serve handlers on loopback, for all methods; yield the origin."""
    listener = loopback_socket("127.0.0.1", 0)
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route(path, do, methods=methods) for path, do in routes.items()])
    server = HttpServer(app, "test", stop_seconds=1)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await running

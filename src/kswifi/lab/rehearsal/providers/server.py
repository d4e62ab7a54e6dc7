"""A rehearsal data provider as a server: the API of one vendor, and a control for rehearsals.

The control changes what the vendor's API cannot: a phone installs a profile, data is used, time passes for pending
orders, faults are injected. It accepts programs of this machine only, with the header ``X-KSWiFi-Lab``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import httpx2
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.kernel.clock import Clock, SystemClock
from kswifi.kernel.listening import authority, in_url, is_loopback, loopback_socket, plain_address
from kswifi.lab.rehearsal.providers import esim_access_face, esim_go_face, vtpass_face
from kswifi.lab.rehearsal.providers.engine import (
    Engine,
    Event,
    ProfileSource,
    Rules,
    invented_profile,
)
from kswifi.lab.rehearsal.providers.faults import Fault, Faults, body_of
from kswifi.lab.rehearsal.providers.model import Book, LabLine, LabOrder, Profile, ProviderRefusedError
from kswifi.lab.rehearsal.providers.webhooks import Webhooks
from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.limits import ConnectionLimits
from kswifi.listeners.pool import ConnectionPool

MOST_CONNECTIONS: Final = 64
CONTROL_HEADER: Final = "X-KSWiFi-Lab"
_ANSWER_SECONDS: Final = 10.0


class Face(Protocol):
    """The API of one vendor over the engine."""

    def routes(self) -> list[Route]:
        """Return the routes of its calls."""
        ...

    def webhook(self, event: Event) -> tuple[bytes, dict[str, str]] | None:
        """Return the body and headers of an event's webhook; None if the vendor sends none."""
        ...


@dataclass(frozen=True, slots=True)
class FaceEntry:
    """The API of a vendor, what it sells, its answer to an unreadable request, and the path of its address."""

    make: Callable[[Engine, Faults, str], Face]
    book: Callable[[], Book]
    refusal: Callable[[ProviderRefusedError], Response]
    path: str


FACES: Final[dict[str, FaceEntry]] = {
    "vtpass": FaceEntry(vtpass_face.VtpassFace, vtpass_face.fresh_book, vtpass_face.refusal, "/api"),
    "esim_go": FaceEntry(esim_go_face.EsimGoFace, esim_go_face.fresh_book, esim_go_face.refusal, "/v2.5"),
    "esim_access": FaceEntry(
        esim_access_face.EsimAccessFace, esim_access_face.fresh_book, esim_access_face.refusal, "/api/v1/open"
    ),
}
"""The vendors by the names of their adapters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """The configuration of a rehearsal provider.

    Args:
        face: the name of the vendor.
        key: the key that callers must send. VTpass's other keys are it with "-public-key" and "-secret-key";
            eSIM Access's key for signatures is it twice.
        webhook_url: where webhooks go; None sends none.
        profile_url: asked by POST with ``{"bundle_id"}`` for each new profile; it answers as ``model.Profile``.
        profiles: the source of profiles, if there is no URL; None invents them.
        rules: how it behaves.
        file: where it keeps its book; None keeps it in memory.
        port: the port on loopback; 0 takes a free one.
        retry_seconds: after how long a refused webhook is sent again; doubled each time.
        clock: the source of its instants; None for the system's.
    """

    face: str
    key: str
    webhook_url: str | None = None
    profile_url: str | None = None
    profiles: ProfileSource | None = None
    rules: Rules | None = None
    file: Path | None = None
    port: int = 0
    retry_seconds: float = 1.0
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class RunningProvider:
    """A rehearsal provider that is served at ``url``, the address for the adapter; ``origin`` has the control."""

    url: str
    origin: str
    engine: Engine
    faults: Faults
    webhooks: Webhooks


class _RulesChange(msgspec.Struct, forbid_unknown_fields=True):
    lag_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None
    settles_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None
    fails_next: bool | None = None
    duplicates_next: bool | None = None
    recycles_iccid: bool | None = None
    counter_back_octets: Annotated[int, msgspec.Meta(ge=0, le=10**12)] | None = None
    same_line_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] | None = None
    balance_minor: Annotated[int, msgspec.Meta(ge=0, le=10**15)] | None = None
    webhook_times: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class _Stock(msgspec.Struct, forbid_unknown_fields=True):
    stock: Annotated[int, msgspec.Meta(ge=0, le=10**9)] | None = None
    price_minor: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None


class _Use(msgspec.Struct, forbid_unknown_fields=True):
    octets: Annotated[int, msgspec.Meta(ge=1, le=10**13)]


class _Install(msgspec.Struct, forbid_unknown_fields=True):
    eid: Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{32}$")] | None = None


class _Settle(msgspec.Struct, forbid_unknown_fields=True):
    fails: bool = False


class _Control:
    """The control for rehearsals."""

    def __init__(self, running: RunningProvider) -> None:
        self._engine, self._faults, self._webhooks = running.engine, running.faults, running.webhooks

    def routes(self) -> list[Route]:
        actions: Mapping[str, Callable[[Request], Any]] = {
            "faults": self.fault,
            "rules": self.rules,
            "bundles/{bundle:path}": self.stock,
            "orders/{order}/settle": self.settle,
            "orders/{order}/reverse": self.reverse,
            "lines/{line}/install": self.install,
            "lines/{line}/attach": self.attach,
            "lines/{line}/use": self.use,
            "lines/{line}/policy-suspend": self.policy_suspend,
            "lines/{line}/delete": self.delete,
        }
        found = [Route(f"/control/{path}", self._guarded(do), methods=["POST"]) for path, do in actions.items()]
        found.append(Route("/control/lines/{line}", self._guarded(self.look), methods=["GET"]))
        found.append(Route("/control/lines", self._guarded(self.lines), methods=["GET"]))
        found.append(Route("/control/faults", self._guarded(self.forget), methods=["DELETE"]))
        return found

    def _guarded(self, do: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            client = plain_address(request.client.host) if request.client is not None else ""
            if not is_loopback(client) or CONTROL_HEADER not in request.headers:
                return JSONResponse({"message": f"only this machine, with the header {CONTROL_HEADER}: 1"}, 403)
            try:
                found = await do(request)
            except (ProviderRefusedError, msgspec.DecodeError) as error:
                return JSONResponse({"message": str(error)}, 400)
            return Response(status_code=204) if found is None else JSONResponse(found)

        return guarded

    async def fault(self, request: Request) -> None:
        """Inject a fault."""
        self._faults.tell(msgspec.json.decode(await body_of(request), type=Fault))

    async def forget(self, request: Request) -> None:
        """Remove all faults."""
        del request
        self._faults.forget()

    async def rules(self, request: Request) -> None:
        """Change how the provider behaves, or its balance."""
        asked = msgspec.json.decode(await body_of(request), type=_RulesChange)
        rules = self._engine.rules
        for name in ("fails_next", "duplicates_next", "recycles_iccid", "counter_back_octets", "same_line_seconds"):
            if getattr(asked, name) is not None:
                setattr(rules, name, getattr(asked, name))
        if asked.lag_seconds is not None:
            rules.lag = timedelta(seconds=asked.lag_seconds)
        if asked.settles_after_seconds is not None:
            rules.settles_after = timedelta(seconds=asked.settles_after_seconds)
        if asked.balance_minor is not None:
            self._engine.book.balance_minor = asked.balance_minor
        if asked.webhook_times is not None:
            self._webhooks.times = asked.webhook_times

    async def stock(self, request: Request) -> None:
        """Change the stock or the price of a bundle."""
        asked = msgspec.json.decode(await body_of(request), type=_Stock)
        self._engine.change_bundle(request.path_params["bundle"], stock=asked.stock, price_minor=asked.price_minor)

    async def settle(self, request: Request) -> None:
        """Complete a pending order, or let it fail."""
        asked = msgspec.json.decode(await body_of(request) or b"{}", type=_Settle)
        self._engine.settle(self._order(request), fails=asked.fails)

    async def reverse(self, request: Request) -> None:
        """Return the price of an order."""
        self._engine.reverse(self._order(request))

    async def install(self, request: Request) -> None:
        """Install a profile on a phone."""
        asked = msgspec.json.decode(await body_of(request) or b"{}", type=_Install)
        self._engine.install(self._line(request), asked.eid or "")

    async def attach(self, request: Request) -> None:
        """Attach a line to a network."""
        self._engine.attach(self._line(request))

    async def use(self, request: Request) -> dict[str, int]:
        """Use data; answer how many octets the bundles covered."""
        asked = msgspec.json.decode(await body_of(request), type=_Use)
        return {"covered": self._engine.use(self._line(request), asked.octets)}

    async def policy_suspend(self, request: Request) -> None:
        """Suspend a line by the provider's own rules."""
        self._engine.suspend(self._line(request), on=False, by_policy=True)

    async def delete(self, request: Request) -> None:
        """Delete a line."""
        self._engine.delete(self._line(request))

    async def look(self, request: Request) -> dict[str, Any]:
        """Return whether a line carries data, and what its bundles have left."""
        return _line_fields(self._line(request))

    async def lines(self, request: Request) -> dict[str, Any]:
        """Return all lines, the newest last."""
        del request
        self._engine.advance()
        return {"lines": [_line_fields(line) for line in self._engine.book.lines.values()]}

    def _order(self, request: Request) -> LabOrder:
        """Return an order by its number or by the caller's reference."""
        name = request.path_params["order"]
        found = self._engine.book.orders.get(name) or self._engine.by_reference(name)
        if found is None:
            raise ProviderRefusedError("order_unknown", "there is no such order")
        return found

    def _line(self, request: Request) -> LabLine:
        """Return a line by its number or by its ICCID."""
        name = request.path_params["line"]
        return self._engine.line(name) if name in self._engine.book.lines else self._engine.line_of_iccid(name)


def _line_fields(line: LabLine) -> dict[str, Any]:
    left = sum(it.total - it.used for it in line.assignments if it.state in ("queued", "active"))
    return {"line": line.number, "suspended": line.suspended, "installed": line.installed, "octets_left": left}


def make_provider(config: ProviderConfig, origin: str) -> tuple[RunningProvider, Starlette]:
    """Return a rehearsal provider, and the application that serves it at ``origin``.

    Raises:
        KeyError: there is no vendor with this name.
    """
    entry = FACES[config.face]
    webhooks, faults = Webhooks(config.webhook_url, config.retry_seconds), Faults()
    faces: list[Face] = []

    def tell(event: Event) -> None:
        told = faces[0].webhook(event)
        if told is not None:
            webhooks.send(*told)

    engine = Engine(
        entry.book(),
        replace(config.rules or Rules()),
        config.clock or SystemClock(),
        config.profiles or (invented_profile if config.profile_url is None else _profiles_at(config.profile_url)),
        tell,
        config.file,
    )
    faces.append(entry.make(engine, faults, config.key))
    running = RunningProvider(f"{origin}{entry.path}", origin, engine, faults, webhooks)
    hosts = [in_url("127.0.0.1"), "localhost", "127.0.0.1"]

    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ProviderRefusedError)  # noqa: S101 - registered for it alone
        return entry.refusal(error)

    app = Starlette(
        routes=[*faces[0].routes(), *_Control(running).routes()],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        exception_handlers={ProviderRefusedError: refused},
    )
    return running, app


@asynccontextmanager
async def serving_provider(config: ProviderConfig) -> AsyncIterator[RunningProvider]:
    """Serve a rehearsal provider on loopback.

    Raises:
        KeyError: there is no vendor with this name.
        OSError: the port is taken.
    """
    listener = loopback_socket("127.0.0.1", config.port)
    origin = f"http://{authority('127.0.0.1', listener.getsockname()[1])}"
    running, app = make_provider(config, origin)
    pool = ConnectionPool(ConnectionLimits(connections=MOST_CONNECTIONS))
    server = HttpServer(app, "provider", pool=pool, stop_seconds=1)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield running
    finally:
        server.should_exit = server.force_exit = True  # do not wait for open requests
        await serving
        await running.webhooks.close()


def _profiles_at(url: str) -> ProfileSource:
    """Return a source that asks for each profile by HTTP."""

    async def ask(bundle_id: str) -> Profile:
        try:
            async with httpx2.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False, verify=False) as client:
                answer = await client.post(url, json={"bundle_id": bundle_id}, headers={CONTROL_HEADER: "1"})
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=Profile)
        except (httpx2.HTTPError, msgspec.DecodeError) as error:
            raise ProviderRefusedError("sold_out", f"no profile can be had: {type(error).__name__}") from error

    return ask

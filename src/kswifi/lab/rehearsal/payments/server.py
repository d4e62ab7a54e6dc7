"""A rehearsal gateway as a server: one of two faces, the checkout pages, and what a rehearsal tells it to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kswifi.kernel.clock import Clock
from kswifi.kernel.listening import authority, in_url, is_loopback, listening_socket, loopback_socket, plain_address
from kswifi.lab.rehearsal.payments import paystack_face, sandbox_face
from kswifi.lab.rehearsal.payments.checkout import CheckoutPages
from kswifi.lab.rehearsal.payments.engine import Engine, Tells
from kswifi.lab.rehearsal.payments.faults import Fault
from kswifi.lab.rehearsal.payments.model import ChargeBook, GatewayRefusal
from kswifi.lab.rehearsal.payments.paystack_face import PaystackEvents, PaystackFace
from kswifi.lab.rehearsal.payments.requests import read_body
from kswifi.lab.rehearsal.payments.sandbox_face import SandboxEvents, SandboxFace
from kswifi.lab.rehearsal.payments.webhooks import Webhooks
from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.limits import ConnectionLimits
from kswifi.listeners.pool import ConnectionPool

MOST_CONNECTIONS: Final = 64
_PAYOUT_SECONDS: Final = 3600.0

CONTROL_HEADER: Final = "X-KSWiFi-Lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """One rehearsal gateway.

    Args:
        face: whose API it speaks.
        secret: the key that its callers show and that signs its webhooks.
        webhook_url: where it tells what happened.
        file: where it keeps its charges; None keeps them in memory.
        for_phones: it may listen where phones in this network reach its checkout (`kswifi up --lan`). Anybody
            there can pay, and no money moves; what a rehearsal may tell it stays for this machine.
        shown_host: the host in the checkout's address, where it is not ``host``.
        refund_seconds: how long a refund takes; None: until it is told that it arrived.
        retry_seconds: after how long a webhook that was not taken is sent again, doubled each time.
        dispute_fee_kobo: what a lost dispute costs. Paystack's API names no such fee, so its face charges none.
        clock: what its instants are read from.
    """

    face: Literal["sandbox", "paystack"]
    secret: str
    webhook_url: str
    file: Path | None = None
    host: str = "127.0.0.1"
    shown_host: str | None = None
    for_phones: bool = False
    port: int = 0
    refund_seconds: float | None = 0.2
    retry_seconds: float = 1.0
    dispute_fee_kobo: int = 0
    clock: Clock | None = None


class _Pay(msgspec.Struct, forbid_unknown_fields=True):
    amount_kobo: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] | None = None
    tell_times: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 1
    tell_after_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0


class _Tell(msgspec.Struct, forbid_unknown_fields=True):
    times: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1


class _Refund(msgspec.Struct, forbid_unknown_fields=True):
    amount_kobo: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None
    told: bool = True


class _Dispute(msgspec.Struct, forbid_unknown_fields=True):
    amount_kobo: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None
    told: bool = True


class _ResolveDispute(msgspec.Struct, forbid_unknown_fields=True):
    lost: bool
    told: bool = True


class _SettleRefund(msgspec.Struct, forbid_unknown_fields=True):
    fails: bool = False


class _Control:
    """What a rehearsal may tell the gateway. The header makes a browser ask first: no page elsewhere can."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[Route]:
        return [
            Route("/control/faults", self.fault, methods=["POST"]),
            Route("/control/faults", self.forget, methods=["DELETE"]),
            Route("/control/charges/{reference}/pay", self.pay, methods=["POST"]),
            Route("/control/charges/{reference}/decline", self.decline, methods=["POST"]),
            Route("/control/charges/{reference}/tell", self.tell, methods=["POST"]),
            Route("/control/charges/{reference}/refund", self.refund, methods=["POST"]),
            Route("/control/charges/{reference}/settle-refund", self.settle_refund, methods=["POST"]),
            Route("/control/charges/{reference}/dispute", self.dispute, methods=["POST"]),
            Route("/control/charges/{reference}/resolve-dispute", self.resolve_dispute, methods=["POST"]),
            Route("/control/settle", self.settle, methods=["POST"]),
        ]

    async def fault(self, request: Request) -> Response:
        """Have a call go wrong."""
        self._require_rehearsal(request)
        self._engine.faults.tell(await read_body(request, Fault))
        return Response(status_code=204)

    async def forget(self, request: Request) -> Response:
        """Have everything go right again."""
        self._require_rehearsal(request)
        self._engine.faults.forget()
        return Response(status_code=204)

    async def pay(self, request: Request) -> Response:
        """Have the payer pay, also a wrong amount or in another currency."""
        self._require_rehearsal(request)
        told = await read_body(request, _Pay)
        self._engine.pay(
            self._engine.book.by_reference(request.path_params["reference"]),
            amount_kobo=told.amount_kobo,
            currency=told.currency,
            tell_times=told.tell_times,
            tell_after_seconds=told.tell_after_seconds,
        )
        return Response(status_code=204)

    async def decline(self, request: Request) -> Response:
        """Have the payer's bank say no."""
        self._require_rehearsal(request)
        self._engine.decline(self._engine.book.by_reference(request.path_params["reference"]))
        return Response(status_code=204)

    async def tell(self, request: Request) -> Response:
        """Tell the shop again how a charge stands."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        self._engine.tell(charge, times=(await read_body(request, _Tell)).times)
        return Response(status_code=204)

    async def refund(self, request: Request) -> Response:
        """Have the gateway's own operator send all of it back, or an amount; with or without a webhook."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        told = await read_body(request, _Refund)
        self._engine.refund(charge, told.amount_kobo or charge.amount_kobo, told=told.told)
        return Response(status_code=204)

    async def dispute(self, request: Request) -> Response:
        """Have the payer dispute a charge."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        told = await read_body(request, _Dispute)
        self._engine.open_dispute(charge, told.amount_kobo, told=told.told)
        return Response(status_code=204)

    async def resolve_dispute(self, request: Request) -> Response:
        """Have the open disputes of a charge decided."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        told = await read_body(request, _ResolveDispute)
        self._engine.resolve_dispute(charge, lost=told.lost, told=told.told)
        return Response(status_code=204)

    async def settle(self, request: Request) -> Response:
        """Pay out now what the gateway holds."""
        self._require_rehearsal(request)
        self._engine.settle()
        return Response(status_code=204)

    async def settle_refund(self, request: Request) -> Response:
        """Have the newest refund arrive, or fail."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        fails = (await read_body(request, _SettleRefund)).fails
        if charge.refunds:
            self._engine.settle_refund(charge, charge.refunds[-1].number, fails=fails)
        return Response(status_code=204)

    def _require_rehearsal(self, request: Request) -> None:
        """Refuse who is no program on this machine, also where phones reach the checkout."""
        here = request.scope.get("server")
        client = plain_address(request.client.host) if request.client is not None else ""
        if not is_loopback(client) and (here is None or client != here[0]):
            raise GatewayRefusal("not_from_here", "only this machine may tell the gateway what to do")
        if CONTROL_HEADER not in request.headers:
            raise GatewayRefusal("header_missing", f"send the header {CONTROL_HEADER}: 1")


def make_webhooks(config: GatewayConfig) -> Webhooks:
    """Return what tells the shop, signed as the face does."""
    header = (sandbox_face if config.face == "sandbox" else paystack_face).SIGNATURE_HEADER
    return Webhooks(config.webhook_url, header, config.secret, config.retry_seconds)


def make_gateway(config: GatewayConfig, webhooks: Tells, origin: str) -> tuple[Engine, Starlette]:
    """Return a gateway's inside, and the application that serves it at the origin."""
    events = SandboxEvents() if config.face == "sandbox" else PaystackEvents()
    book = ChargeBook(config.file)
    engine = Engine(book, events, webhooks, config.refund_seconds, config.dispute_fee_kobo, config.clock)
    face = (SandboxFace if config.face == "sandbox" else PaystackFace)(engine, config.secret, origin)
    hosts = [in_url(config.shown_host or config.host), "localhost", "127.0.0.1", "[::1]"]
    app = Starlette(
        routes=[*face.routes(), *CheckoutPages(engine).routes(), *_Control(engine).routes()],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        exception_handlers={GatewayRefusal: _refusal},
    )
    return engine, app


@asynccontextmanager
async def serving_gateway(config: GatewayConfig) -> AsyncIterator[str]:
    """Serve a rehearsal gateway; give its origin.

    Raises:
        NotLoopbackError: others would reach it, and it is not for phones.
        OSError: the port is taken.
    """
    listen = listening_socket if config.for_phones else loopback_socket
    listener = listen(config.host, config.port)
    host, port = config.shown_host or config.host, listener.getsockname()[1]
    origin = f"http://{authority(host, port)}"
    webhooks = make_webhooks(config)
    engine, app = make_gateway(config, webhooks, origin)
    pool = ConnectionPool(ConnectionLimits(connections=MOST_CONNECTIONS))
    server = HttpServer(app, "sandbox", pool=pool, stop_seconds=1)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    paying_out = asyncio.create_task(_pay_out_daily(engine), name="payouts")
    try:
        yield origin
    finally:
        paying_out.cancel()
        server.should_exit = server.force_exit = True  # nothing here is worth waiting for
        await running
        await webhooks.close()
        engine.close()


async def _pay_out_daily(engine: Engine) -> None:
    """Pay out what is due, looking once an hour: gateways pay out on the day after."""
    while True:
        await asyncio.sleep(_PAYOUT_SECONDS)
        engine.settle_due()


async def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayRefusal)  # noqa: S101 - registered for it alone
    status = 404 if error.why == "unknown_reference" else 400
    return JSONResponse({"error": error.why, "message": error.message, "sandbox": True}, status)

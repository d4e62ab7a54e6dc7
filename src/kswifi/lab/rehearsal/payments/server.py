"""A rehearsal gateway as a server: one of two APIs ("faces"), the checkout pages, and a control for rehearsals."""

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
    """The configuration of a rehearsal gateway.

    Args:
        face: which API it has.
        secret: the key that callers must send and that signs webhooks.
        webhook_url: where it sends webhooks.
        file: where it keeps its charges; None keeps them in memory.
        host: the address that it listens on.
        shown_host: the host in the checkout's URL, if it differs from ``host``.
        for_phones: allow an address that phones in this network can reach, for the checkout (`kswifi up --lan`).
            Everybody there can pay, and no money moves. The control accepts requests of this machine only.
        port: the port; 0 takes a free one.
        refund_seconds: how long a refund takes; None until the control settles it.
        retry_seconds: after how long a webhook that was refused is sent again; doubled each time.
        dispute_fee_kobo: the fee of a lost dispute. Paystack's API has no such fee, so its face charges none.
        clock: the source of its instants; None for the system's.
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
    card: Annotated[str, msgspec.Meta(max_length=64)] = ""
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
    """The control for rehearsals. It requires a custom header, which pages of other origins cannot send."""

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
        """Inject a fault."""
        self._require_rehearsal(request)
        self._engine.faults.tell(await read_body(request, Fault))
        return Response(status_code=204)

    async def forget(self, request: Request) -> Response:
        """Remove all faults."""
        self._require_rehearsal(request)
        self._engine.faults.forget()
        return Response(status_code=204)

    async def pay(self, request: Request) -> Response:
        """Pay a charge, if wished with a wrong amount or currency, or with a card that paid others."""
        self._require_rehearsal(request)
        asked = await read_body(request, _Pay)
        self._engine.pay(
            self._engine.book.by_reference(request.path_params["reference"]),
            amount_kobo=asked.amount_kobo,
            currency=asked.currency,
            card=asked.card,
            tell_times=asked.tell_times,
            tell_after_seconds=asked.tell_after_seconds,
        )
        return Response(status_code=204)

    async def decline(self, request: Request) -> Response:
        """Let the payer's bank decline a charge."""
        self._require_rehearsal(request)
        self._engine.decline(self._engine.book.by_reference(request.path_params["reference"]))
        return Response(status_code=204)

    async def tell(self, request: Request) -> Response:
        """Send the webhook of a charge's status again."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        self._engine.tell(charge, times=(await read_body(request, _Tell)).times)
        return Response(status_code=204)

    async def refund(self, request: Request) -> Response:
        """Refund a charge or a part of it, as the gateway's operator could, with or without a webhook."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        asked = await read_body(request, _Refund)
        self._engine.refund(charge, asked.amount_kobo or charge.amount_kobo, told=asked.told)
        return Response(status_code=204)

    async def dispute(self, request: Request) -> Response:
        """Open a dispute of a charge."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        asked = await read_body(request, _Dispute)
        self._engine.open_dispute(charge, asked.amount_kobo, told=asked.told)
        return Response(status_code=204)

    async def resolve_dispute(self, request: Request) -> Response:
        """Decide the open disputes of a charge."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        asked = await read_body(request, _ResolveDispute)
        self._engine.resolve_dispute(charge, lost=asked.lost, told=asked.told)
        return Response(status_code=204)

    async def settle(self, request: Request) -> Response:
        """Pay out the gateway's money now."""
        self._require_rehearsal(request)
        self._engine.settle()
        return Response(status_code=204)

    async def settle_refund(self, request: Request) -> Response:
        """Complete the newest refund, or let it fail."""
        self._require_rehearsal(request)
        charge = self._engine.book.by_reference(request.path_params["reference"])
        fails = (await read_body(request, _SettleRefund)).fails
        if charge.refunds:
            self._engine.settle_refund(charge, charge.refunds[-1].number, fails=fails)
        return Response(status_code=204)

    def _require_rehearsal(self, request: Request) -> None:
        """Refuse clients on other machines, and requests without the custom header."""
        here = request.scope.get("server")
        client = plain_address(request.client.host) if request.client is not None else ""
        if not is_loopback(client) and (here is None or client != here[0]):
            raise GatewayRefusal("not_from_here", "only programs on this machine may control the gateway")
        if CONTROL_HEADER not in request.headers:
            raise GatewayRefusal("header_missing", f"send the header {CONTROL_HEADER}: 1")


def make_webhooks(config: GatewayConfig) -> Webhooks:
    """Return the sender of webhooks, which signs them as the configured API does."""
    header = (sandbox_face if config.face == "sandbox" else paystack_face).SIGNATURE_HEADER
    return Webhooks(config.webhook_url, header, config.secret, config.retry_seconds)


def make_gateway(config: GatewayConfig, webhooks: Tells, origin: str) -> tuple[Engine, Starlette]:
    """Return the core of a gateway, and the application that serves it.

    Args:
        config: the configuration.
        webhooks: sends webhooks.
        origin: where it is served; checkout URLs begin with it.
    """
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
    """Serve a rehearsal gateway; yield its origin.

    Raises:
        NotLoopbackError: other machines could reach it, and it is not ``for_phones``.
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
        server.should_exit = server.force_exit = True  # do not wait for open requests
        await running
        await webhooks.close()
        engine.close()


async def _pay_out_daily(engine: Engine) -> None:
    """Pay out once an hour the charges of earlier days, as gateways do on the next day."""
    while True:
        await asyncio.sleep(_PAYOUT_SECONDS)
        engine.settle_due()


async def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayRefusal)  # noqa: S101 - registered for it alone
    status = 404 if error.why == "unknown_reference" else 400
    return JSONResponse({"error": error.why, "message": error.message, "sandbox": True}, status)

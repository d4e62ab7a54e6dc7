"""The monitoring listener: metrics and health, separate from the API's listener.

It is a server with its own connections, so it answers even if the API refuses connections. It reads no proxy
header: the TCP peer is the client.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kswifi.api.edge.errors import HOST_NOT_ALLOWED, METRICS_NOT_FOR_YOU, NOT_READY
from kswifi.api.edge.forwarded import NO_PROXIES
from kswifi.api.edge.problems import refusal
from kswifi.api.edge.request_ids import RequestIds
from kswifi.api.routes.service.system import missing_parts
from kswifi.api.services import Metrics, Services
from kswifi.kernel.network_addresses import parse_address
from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.limits import ConnectionLimits
from kswifi.listeners.nosniff import NoSniff
from kswifi.listeners.pool import ConnectionPool

CONNECTIONS_LIMIT: Final = 64
IDLE_SECONDS: Final = 5
STOP_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class _Monitoring:
    """The three resources of the listener: health, readiness, metrics."""

    services: Services

    async def health(self, _request: Request) -> Response:
        """Answer 200 while the event loop runs; checks nothing else."""
        return JSONResponse({"status": "ok"})

    async def readiness(self, _request: Request) -> Response:
        """Answer 200 if all parts that requests need answer; otherwise name those that do not."""
        missing = ", ".join(await missing_parts(self.services))
        if missing:
            return refusal(NOT_READY(f"not ready: {missing}", missing=missing))
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """Return the metrics in Prometheus' text format, to this machine and the configured networks only."""
        metrics = self.services.metrics
        if metrics is None:
            return refusal(NOT_READY("this server has no metrics"))
        if not _may_read(metrics, request):
            return refusal(METRICS_NOT_FOR_YOU("KSWIFI_METRICS_NETWORKS lists the networks that may read metrics"))
        return Response(await metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


class _HostCheck:
    """ASGI middleware that refuses unknown names in Host: protects from DNS rebinding by a web page."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. An IP address in Host is accepted: it cannot be rebound."""
        app = self._app
        if scope["type"] == "http" and not self._is_own(Request(scope).headers.get("host", "")):
            app = refusal(HOST_NOT_ALLOWED("KSWIFI_ALLOWED_HOSTS lists the names this server answers to"))
        await app(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name in self._names or parse_address(name) is not None


def create_monitoring_app(services: Services, own_names: frozenset[str] = frozenset()) -> Starlette:
    """Return the monitoring application; Host may be ``own_names`` or one of the API's names."""
    own = _Monitoring(services)
    return Starlette(
        routes=[
            Route("/healthz", own.health),
            Route("/readyz", own.readiness),
            Route("/metrics", own.metrics),
        ],
        middleware=[
            Middleware(NoSniff),
            Middleware(RequestIds, trust=NO_PROXIES),
            Middleware(_HostCheck, names=services.environment.allowed_hosts | own_names),
        ],
    )


class MonitoringServer(HttpServer):
    """Serves the monitoring application with a connection limit of its own."""

    def __init__(self, app: Starlette) -> None:
        limits = ConnectionLimits(connections=CONNECTIONS_LIMIT, idle_seconds=IDLE_SECONDS)
        super().__init__(app, "monitoring", pool=ConnectionPool(limits), stop_seconds=STOP_SECONDS)


def _may_read(metrics: Metrics, request: Request) -> bool:
    address = parse_address(request.client.host) if request.client else None
    if address is None:
        return False
    return address.is_loopback or any(address in network for network in metrics.networks)

"""Build the FastAPI application from routers, error handlers and middleware."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute

from kswifi.api.edge import problems
from kswifi.api.edge.access import AccessLog
from kswifi.api.edge.client_address import ClientEdge
from kswifi.api.edge.guard import Edge, EdgePolicy
from kswifi.api.edge.head_requests import HeadRequests
from kswifi.api.edge.idempotency import forget_in_flight
from kswifi.api.edge.request_ids import RequestIds
from kswifi.api.openapi import openapi_of
from kswifi.api.reference import CONTENT_SECURITY_POLICY, REFERENCE_PATH, reference_page
from kswifi.api.routes.accounts import (
    account_data,
    accounts,
    identifier_proofs,
    notifications,
    passkeys,
    phone_verifications,
    security,
)
from kswifi.api.routes.payments import free_data, passes, payments, vouchers, webhooks
from kswifi.api.routes.service import catalogue, events, system, venue_reports, venues
from kswifi.api.routes.sessions import (
    card_records,
    connection,
    disputes,
    esims,
    gifts,
    line_limits,
    month_statements,
    moves,
    sessions,
    standing_orders,
    statements,
    supply,
    usage,
)
from kswifi.api.services import Services

ROUTERS: Final[tuple[APIRouter, ...]] = (
    system.router,
    accounts.router,
    identifier_proofs.router,
    security.router,
    account_data.router,
    passkeys.router,
    phone_verifications.router,
    notifications.router,
    catalogue.router,
    venues.router,
    venue_reports.router,
    free_data.router,
    vouchers.router,
    sessions.router,
    statements.router,
    usage.router,
    month_statements.router,
    disputes.router,
    gifts.router,
    moves.router,
    standing_orders.router,
    esims.router,
    line_limits.router,
    connection.router,
    card_records.router,
    supply.router,
    payments.router,
    passes.router,
    webhooks.router,
    events.router,
)

API_VERSION: Final = "1"
"""The version of the API, as in its paths. Nobody can pick targets by it, as by the version of the product."""

_DESCRIPTION: Final = """\
Download an internet session over WiFi, store it on the phone's eSIM, use it later like SIM data.

**Signing in** gives an HttpOnly cookie and a `csrf_token`. Everything with which you change something takes the
token as `X-CSRF-Token` and a random `Idempotency-Key` of your own: send the same request again with the same key
and it is done once, and you get the same answer. A refusal gives the key back.

**Errors** are problem documents (RFC 9457). Programs go by `code`; `facts` holds the figures.

**Amounts** are whole octets (1 GB is 10^9) and whole kobo (100 kobo are 1 naira). **Instants** are RFC 3339, UTC.
"""


def create_app(services: Services) -> FastAPI:
    """Return the application for these services. The caller closes the services."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await forget_in_flight(services.database)
        yield
        services.streams.close()

    app = FastAPI(
        title="KSWiFi",
        version=API_VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # Swagger UI and ReDoc load scripts of other origins, which our CSP forbids
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    app.openapi = lambda: openapi_of(app, ROUTERS)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    problems.install(app, [route for router in ROUTERS for route in router.routes])
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route(REFERENCE_PATH, _reference_of(app), include_in_schema=False)
    app.add_middleware(Edge, policy=_policy(services), refusals=services.refusals)
    # The middleware that is added last reads a request first.
    app.add_middleware(AccessLog, counts=services.requests, writes_lines=services.writes_access_lines)
    app.add_middleware(ClientEdge, trust=services.environment.proxies)
    app.add_middleware(HeadRequests)
    app.add_middleware(RequestIds, trust=services.environment.proxies)
    return app


def _reference_of(app: FastAPI) -> Callable[[], Awaitable[Response]]:
    """Return the route of the reference page. The page is made once, at the first request."""
    page = cache(lambda: reference_page(app.openapi()))

    async def read_reference() -> Response:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return Response(page(), headers=headers, media_type="text/html")

    return read_reference


def _operation_id(route: APIRoute) -> str:
    return route.name


def _policy(services: Services) -> EdgePolicy:
    environment = services.environment
    return EdgePolicy(
        allowed_hosts=environment.allowed_hosts,
        allowed_origins=frozenset({environment.public_origin}),
        connect_origins=() if environment.lab_origin is None else (environment.lab_origin,),
        https=environment.https,
    )

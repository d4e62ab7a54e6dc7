"""Build the console's application: every route with its permission, behind the same edge as the API."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kswifi.api.edge.forwarded import NO_PROXIES
from kswifi.api.edge.guard import Edge, EdgePolicy
from kswifi.api.edge.request_ids import RequestIds
from kswifi.api.edge.security_refusals import SecurityRefusals
from kswifi.api.edge.statuses import STATUS_OF_CODE
from kswifi.console.errors import FORM_UNREADABLE
from kswifi.console.pages import (
    audit,
    budgets,
    customer,
    disputes,
    fraud,
    health,
    jobs,
    line,
    payment,
    search,
    sign_in,
    staff,
    today,
    venues,
)
from kswifi.console.pages.sign_in import cookie_name
from kswifi.console.services import ConsoleServices
from kswifi.console.visit import Page, Visit, read_form, require_csrf
from kswifi.desk.errors import NOT_SIGNED_IN_STAFF
from kswifi.desk.staff import SignedInStaff, who
from kswifi.kernel.errors import KswifiError, RefusedError
from kswifi.pwa.assets import STATIC as APP_FILES

STATIC: Final = Path(__file__).parent / "static"

PAGES: Final[tuple[Page, ...]] = (
    *sign_in.PAGES,
    *today.PAGES,
    *search.PAGES,
    *customer.PAGES,
    *line.PAGES,
    *payment.PAGES,
    *disputes.PAGES,
    *venues.PAGES,
    *budgets.PAGES,
    *fraud.PAGES,
    *jobs.PAGES,
    *health.PAGES,
    *audit.PAGES,
    *staff.PAGES,
)
"""Every route that runs code of ours. A test requests each of them in each role."""

_FILES: Final = {
    "/static/app.css": APP_FILES / "app.css",
    "/static/console.css": STATIC / "console.css",
    "/static/passkey.js": STATIC / "passkey.js",
    "/static/icon.svg": APP_FILES / "icons" / "icon.svg",
}


_STATUSES: Final = {"unknown_dispute": 404, "dispute_answered_already": 409}
"""The HTTP status of refusals that only the console meets."""


def create_console(services: ConsoleServices) -> Starlette:
    """Return the application for these services."""
    routes: list[BaseRoute] = [_route(page, services) for page in PAGES]
    routes += [Route(path, _file(file)) for path, file in _FILES.items()]
    policy = EdgePolicy(
        allowed_hosts=services.allowed_hosts,
        allowed_origins=frozenset({services.origin}),
        connect_origins=(),
        https=services.https,
    )
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(RequestIds, trust=NO_PROXIES),
            Middleware(Edge, policy=policy, refusals=SecurityRefusals()),
        ],
        exception_handlers={HTTPException: _not_found(services)},
    )


def _route(page: Page, services: ConsoleServices) -> Route:
    async def serve(request: Request) -> Response:
        visit = Visit(request, services, None, {})
        try:
            fields = await read_form(request) if page.method == "POST" else ()
            signed_in = None if page.public else await _signed_in(request, services)
            visit = Visit(request, services, signed_in, dict(fields), fields)
            if signed_in is not None:
                if page.method == "POST":
                    require_csrf(signed_in, visit.form)
                if page.permission is not None:
                    signed_in.member.operator.require(page.permission)
            answer = await page.handler(visit)
        except KswifiError as error:
            if isinstance(error, RefusedError) and error.refusal is NOT_SIGNED_IN_STAFF and page.method == "GET":
                return RedirectResponse("/sign-in", 303)
            return _refusal(visit, error)
        answer.headers.setdefault("cache-control", "no-store")
        return answer

    name = f"{page.method} {page.path}"
    return Route(page.path, serve, methods=[page.method], name=name)


async def _signed_in(request: Request, services: ConsoleServices) -> SignedInStaff:
    token = request.cookies.get(cookie_name(services), "")

    def look(connection: Connection) -> SignedInStaff:
        return who(connection, token)

    return await services.database.read(look)


def _refusal(visit: Visit, error: KswifiError) -> Response:
    """Return a page that says what was refused, in the console's own look."""
    own = error.refusal.status if isinstance(error, RefusedError) else None
    status = own or STATUS_OF_CODE.get(error.code) or _STATUSES.get(error.code, 400)
    answer = visit.page("refused.html", status, words=error.message)
    answer.headers["cache-control"] = "no-store"
    return answer


def _not_found(services: ConsoleServices) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 413:
            return _refusal(Visit(request, services, None, {}), FORM_UNREADABLE("this form is too large"))
        return Visit(request, services, None, {}).page("refused.html", status, words="There is no such page.")

    return answer


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    tag = secrets.token_hex(8)

    async def serve(_request: Request) -> Response:
        return FileResponse(path, headers={"cache-control": "no-cache", "etag": f'"{tag}"'})

    return serve

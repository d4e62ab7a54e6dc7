"""Middleware that gives each request an id, in its response and in all its log lines."""

import re
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars, unbind_contextvars

from kswifi.api.edge.forwarded import ProxyTrust
from kswifi.kernel.network_addresses import normal_address, parse_address

REQUEST_ID_HEADER: Final = "X-Request-Id"
USER_ID: Final = "user_id"
"""The name under which the log lines of a request carry its signed-in user."""
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestIds:
    """ASGI middleware: sets ``X-Request-Id`` in every response and ``request_id`` in the log lines of the request.

    It must be the outermost middleware: it reads the address of the TCP peer, and refusals of the others carry the
    id too. The id of a trusted proxy is kept if it is well-formed; any other id is replaced, because a client could
    forge log lines with it.
    """

    def __init__(self, app: ASGIApp, trust: ProxyTrust) -> None:
        self._app = app
        self._trust = trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._given(scope) or str(uuid4())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                unbind_contextvars(USER_ID)  # bound where the user is known

    def _given(self, scope: Scope) -> str | None:
        """Return the id that a trusted proxy gave the request; None if there is none that can be used."""
        peer = parse_address((scope.get("client") or ("", 0))[0])
        if peer is None or not self._trust.includes(normal_address(peer)):
            return None
        given = Headers(scope=scope).getlist(REQUEST_ID_HEADER)
        return given[0] if len(given) == 1 and _WELL_FORMED.fullmatch(given[0]) else None

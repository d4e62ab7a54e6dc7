"""Middleware that puts the client's address into the request's scope before any other code reads it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kswifi.api.edge.forwarded import ProxyTrust, client_of
from kswifi.kernel.network_addresses import parse_address


class ClientEdge:
    """ASGI middleware: sets ``scope["client"]`` and ``scope["scheme"]`` to those of the client, not of a proxy.

    Every decision by address (rate limits, WiFi networks) reads ``request.client``. The address is always in normal
    form (``kswifi.kernel.network_addresses``), with or without a proxy.
    """

    def __init__(self, app: ASGIApp, trust: ProxyTrust) -> None:
        self._app = app
        self._trust = trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            host, port = scope.get("client") or ("", 0)
            peer = parse_address(host)
            if peer is not None:
                headers = Headers(scope=scope)
                fields, protocols = headers.getlist(self._trust.header), headers.getlist("x-forwarded-proto")
                client = client_of(peer, port, fields, protocols, self._trust)
                scope["client"] = (str(client.address), client.port)
                scope["scheme"] = client.scheme or scope["scheme"]
        await self._app(scope, receive, send)

"""The layer that puts the client's address into a request's scope, before anything else reads it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kswifi.api.edge.forwarded import ProxyTrust, client_of
from kswifi.kernel.network_addresses import parse_address


class ClientEdge:
    """ASGI middleware: ``scope["client"]`` and ``scope["scheme"]`` are those of the client, not of a trusted proxy.

    Every decision by address (rates, WiFi networks) reads ``request.client``, so it is made in this one place. The
    address is in its normal form (``kswifi.kernel.network_addresses``) whether a proxy stands in between or not.
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

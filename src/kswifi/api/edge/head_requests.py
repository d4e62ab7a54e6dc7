"""Middleware that answers HEAD wherever GET is answered (RFC 9110, 9.3.2)."""

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI middleware: serves a HEAD request as GET and sends the status and headers without the body.

    A response in several parts, such as the event stream, ends with its headers: the work on it is cancelled, which
    also closes what the route opened for it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False
        with CancelScope() as work:

            async def send_without_body(message: Message) -> None:
                nonlocal ended
                if message["type"] != "http.response.body":
                    await send(message)
                elif not ended:
                    ended = True
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    if message.get("more_body", False):
                        work.cancel()

            await self._app({**scope, "method": "GET"}, receive, send_without_body)

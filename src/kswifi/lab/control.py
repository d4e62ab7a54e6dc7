"""The lab's control server: questions of the API to the gateway, and the page's control of the lab phone.

A web page cannot reach an eUICC or a modem. In the lab KSWiFi's page can, over this port. Pages of other origins
cannot: the required custom header makes a browser ask for permission first (CORS), and a request with a foreign
Host header is refused (DNS rebinding).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.listening import in_url
from kswifi.lab.gateway.gateway import Gateway
from kswifi.lab.phone.phone import LabPhone
from kswifi.lab.rehearsal.push import PushService, origin_of, receive
from kswifi.lab.site.pages import ShownPages, page_policy

HEADER: Final = "X-KSWiFi-Lab"
LARGEST_BODY_OCTETS: Final = 4_096

Handler = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


class ControlRequestError(KswifiError):
    """The request to the control server is malformed or incomplete."""

    code = "bad_request"


class _Switch(msgspec.Struct):
    on: bool


class _Profile(msgspec.Struct):
    iccid: str


class _Download(msgspec.Struct):
    activation_code: Annotated[str, msgspec.Meta(max_length=255)]


class _Packet(msgspec.Struct):
    iccid: str
    envelopes: Annotated[
        list[Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2}){5,261}$")]],
        msgspec.Meta(min_length=1, max_length=16),
    ]


class _Browse(msgspec.Struct):
    url: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    octets: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None
    show: bool = False


class _Subscribe(msgspec.Struct):
    application_server_key: Annotated[str, msgspec.Meta(max_length=100)]


class _Handlers:
    """The handlers of all paths. Calls to the card and the modem block, so they run on threads."""

    def __init__(self, gateway: Gateway, phone: LabPhone, policy: str) -> None:
        self._gateway = gateway
        self._phone = phone
        self._policy = policy
        self._pages = ShownPages()
        self._push = PushService()

    async def sockets(self, request: Request) -> Response:
        """Answer whether a TCP connection from an address is the gateway's, that is, whether it uses a bearer."""
        host, port = request.query_params.get("host", ""), request.query_params.get("port", "")
        if not host or not port.isascii() or not port.isdigit():
            raise ControlRequestError("ask with ?host=ADDRESS&port=NUMBER")
        return JSONResponse({"owned": self._gateway.owns_socket(host, int(port))})

    async def status(self, _request: Request) -> Response:
        """Answer the gateway's connections, bearers and counts."""
        return JSONResponse(self._gateway.status())

    async def look(self, _request: Request) -> Response:
        """Answer the phone's switches, attach state, profiles and records."""
        return JSONResponse(await run_in_threadpool(self._phone.look))

    async def proxy(self, _request: Request) -> Response:
        """Answer the proxy credentials with which another client can use the line."""
        return JSONResponse(self._phone.proxy())

    async def wifi(self, request: Request) -> Response:
        """Switch WiFi on or off."""
        on = (await _body(request, _Switch)).on
        return JSONResponse(await run_in_threadpool(self._phone.switch_wifi, on=on))

    async def line(self, request: Request) -> Response:
        """Switch mobile data on or off."""
        on = (await _body(request, _Switch)).on
        return JSONResponse(await run_in_threadpool(self._phone.switch_line, on=on))

    async def download_profile(self, request: Request) -> Response:
        """Download a profile from an SM-DP+ onto the card."""
        body = await _body(request, _Download)
        return JSONResponse(await run_in_threadpool(self._phone.download_profile, body.activation_code))

    async def deliver_notifications(self, _request: Request) -> Response:
        """Deliver the card's notifications to their servers."""
        return JSONResponse(await run_in_threadpool(self._phone.deliver_notifications))

    async def enable_profile(self, request: Request) -> Response:
        """Enable a profile."""
        body = await _body(request, _Profile)
        return JSONResponse(await run_in_threadpool(self._phone.enable_profile, body.iccid))

    async def hand_over(self, request: Request) -> Response:
        """Give a secured packet to the card."""
        body = await _body(request, _Packet)
        envelopes = [bytes.fromhex(it) for it in body.envelopes]
        return JSONResponse(await run_in_threadpool(self._phone.hand_over, body.iccid, envelopes))

    async def browse(self, request: Request) -> Response:
        """Fetch an address or a number of octets; with ``show`` keep the page and answer its path."""
        body = await _body(request, _Browse)
        if (body.url is None) == (body.octets is None):
            raise ControlRequestError("browse needs either url or octets")
        kept: list[tuple[str, bytes]] = []

        def keep(media_type: str, content: bytes) -> None:
            kept.append((media_type, content))

        show = keep if body.show and body.url is not None else None
        answer = await run_in_threadpool(self._phone.browse, url=body.url, octets=body.octets, keep=show)
        for media_type, content in kept:
            answer["page"] = f"/phone/pages/{self._pages.put(media_type, content)}"
        return JSONResponse(answer)

    async def subscribe(self, request: Request) -> Response:
        """Make a push subscription in the phone's browser for the application server with this key."""
        body = await _body(request, _Subscribe)
        return JSONResponse(self._push.subscribe(origin_of(request), body.application_server_key))

    async def unsubscribe(self, request: Request) -> Response:
        """End a push subscription of the phone's browser."""
        self._push.unsubscribe(request.path_params["name"])
        return JSONResponse({})

    async def messages(self, _request: Request) -> Response:
        """Answer the push messages that the phone has received."""
        return JSONResponse({"messages": self._push.messages()})

    async def push(self, request: Request) -> Response:
        """Accept a push message: the one path here that the KSWiFi server calls, not a page."""
        return await receive(self._push, request)

    async def page(self, request: Request) -> Response:
        """Answer a page that the phone has fetched; frames cannot send our header, so a random name protects it."""
        page = self._pages.get(request.path_params["name"])
        headers = {
            "Content-Security-Policy": self._policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        if page is None:
            return Response("This page is gone.\n", 404, headers, media_type="text/plain")
        return Response(page.content, headers={**headers, "Content-Type": page.media_type})


def create_control_app(gateway: Gateway, phone: LabPhone, web_origins: tuple[str, ...], host: str) -> ASGIApp:
    """Return the application.

    Args:
        gateway: the access gateway.
        phone: the lab's phone.
        web_origins: origins of the pages that may control the phone.
        host: the address that it listens on.
    """
    handlers = _Handlers(gateway, phone, page_policy(web_origins))
    routes = [
        Route("/v1/sockets", handlers.sockets),
        Route("/v1/status", handlers.status),
        Route("/phone", _guarded(handlers.look)),
        Route("/phone/proxy", _guarded(handlers.proxy)),
        Route("/phone/wifi", _guarded(handlers.wifi), methods=["POST"]),
        Route("/phone/line", _guarded(handlers.line), methods=["POST"]),
        Route("/phone/profiles/download", _guarded(handlers.download_profile), methods=["POST"]),
        Route("/phone/profiles/notifications", _guarded(handlers.deliver_notifications), methods=["POST"]),
        Route("/phone/card/enable", _guarded(handlers.enable_profile), methods=["POST"]),
        Route("/phone/card/packet", _guarded(handlers.hand_over), methods=["POST"]),
        Route("/phone/browse", _guarded(handlers.browse), methods=["POST"]),
        Route("/phone/pages/{name}", handlers.page),
        Route("/phone/push", _guarded(handlers.subscribe), methods=["POST"]),
        Route("/phone/push/{name}", _guarded(handlers.unsubscribe), methods=["POST"]),
        Route("/phone/messages", _guarded(handlers.messages)),
        Route("/push/{name}", handlers.push, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={KswifiError: _refused, OSError: _unreachable})
    # Outermost, so that a page can also read an answer to an internal error (500).
    readable = CORSMiddleware(
        app,
        allow_origins=list(web_origins),
        allow_methods=["GET", "POST"],
        allow_headers=[HEADER, "Content-Type"],
    )
    return TrustedHostMiddleware(readable, allowed_hosts=["127.0.0.1", "localhost", "[::1]", in_url(host)])


def _guarded(handler: Handler) -> Handler:
    """Refuse requests without our custom header, which our page and programs can send but no foreign page can."""

    async def guard(request: Request) -> Response:
        if HEADER not in request.headers:
            body = {"code": "lab_header_missing", "detail": f"the header {HEADER} is missing", "facts": {}}
            return JSONResponse(body, 403)
        return await handler(request)

    return guard


async def _octets(request: Request) -> bytes:
    octets = b""
    async for chunk in request.stream():
        octets += chunk
        if len(octets) > LARGEST_BODY_OCTETS:
            raise ControlRequestError(f"a body has at most {LARGEST_BODY_OCTETS} octets")
    return octets


async def _body(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await _octets(request), type=kind)
    except msgspec.DecodeError as error:
        raise ControlRequestError(f"the body is malformed: {error}") from None


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, KswifiError):
        raise error
    status = 400 if isinstance(error, ControlRequestError) else 409
    body: dict[str, Any] = {"code": error.code, "detail": error.message, "facts": error.facts}
    return JSONResponse(body, status)


async def _unreachable(_request: Request, error: Exception) -> Response:
    body: dict[str, Any] = {"code": "unreachable", "detail": str(error), "facts": {}}
    return JSONResponse(body, 502)

"""The outermost middleware: checks before anything else reads the request, and headers on every response."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kswifi.api.edge.errors import (
    BODY_TOO_LARGE,
    HEADERS_TOO_LARGE,
    HOST_NOT_ALLOWED,
    ORIGIN_NOT_ALLOWED,
    UNSUPPORTED_MEDIA_TYPE,
)
from kswifi.api.edge.problems import PROBLEM_TYPE, internal_error, refusal
from kswifi.api.edge.security_refusals import SecurityRefusals
from kswifi.database.engine import writes_may_be_refused
from kswifi.kernel.errors import KswifiError

_log = structlog.get_logger(__name__)

BODY_LIMIT_OCTETS: Final = 64 * 1024
HEADERS_LIMIT: Final = 64
HEADERS_LIMIT_OCTETS: Final = 16 * 1024
_JSON_TYPES: Final = frozenset({"application/json", PROBLEM_TYPE})
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """The hosts and origins that this server accepts.

    ``allowed_hosts`` are names and addresses without a port. ``allowed_origins`` (scheme://host[:port]) may send
    requests that change something; the server's own origin is always allowed. ``connect_origins`` are further
    origins from which the page may fetch.
    """

    allowed_hosts: frozenset[str]
    allowed_origins: frozenset[str]
    connect_origins: tuple[str, ...]
    https: bool


class Edge:
    """ASGI middleware: checks header limits, Host, Origin, media type; adds security headers; hides tracebacks."""

    def __init__(self, app: ASGIApp, policy: EdgePolicy, refusals: SecurityRefusals) -> None:
        self._app = app
        self._policy = policy
        self._refusals = refusals
        self._headers = _security_headers(policy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(scope, message)
            await send(message)

        try:
            self._require_acceptable(scope)
            with writes_may_be_refused():
                await self._app(scope, _limited(receive), send_with_headers)
        except KswifiError as error:
            self._refusals.note(error, scope)
            await refusal(error)(scope, receive, send_with_headers)
        except Exception as error:
            # The edge of the process: log the defect with its traceback and answer 500 without details.
            _log.error("request_failed", method=scope["method"], path=scope["path"], exc_info=error)
            if started:
                raise
            await internal_error()(scope, receive, send_with_headers)

    def _require_acceptable(self, scope: Scope) -> None:
        raw = scope["headers"]
        if len(raw) > HEADERS_LIMIT or sum(len(name) + len(value) for name, value in raw) > HEADERS_LIMIT_OCTETS:
            raise HEADERS_TOO_LARGE(
                f"at most {HEADERS_LIMIT} headers of {HEADERS_LIMIT_OCTETS} octets together are taken"
            )
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _host_name(host) not in self._policy.allowed_hosts:
            raise HOST_NOT_ALLOWED(
                "this server does not answer to that name: KSWIFI_ALLOWED_HOSTS lists those it answers to"
            )
        if scope["method"] in SAFE_METHODS:
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or len(length) > 18 or int(length) > BODY_LIMIT_OCTETS:
            raise BODY_TOO_LARGE(f"a body has at most {BODY_LIMIT_OCTETS} octets", limit=BODY_LIMIT_OCTETS)
        self._require_own_origin(headers, f"{scope['scheme']}://{host}")
        self._require_json(scope, headers)

    def _require_own_origin(self, headers: Headers, own: str) -> None:
        """Refuse a request from a page of another origin. Clients other than browsers send neither header."""
        origin = headers.get("origin")
        fetched_from = headers.get("sec-fetch-site", "same-origin")
        if origin is None and fetched_from in ("same-origin", "none"):
            return
        if origin not in self._policy.allowed_origins | {own}:
            raise ORIGIN_NOT_ALLOWED("a page of another origin may not do this", origin=(origin or "")[:200])

    def _require_json(self, scope: Scope, headers: Headers) -> None:
        if not scope["path"].startswith("/api/") or (
            headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        ):
            return
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise UNSUPPORTED_MEDIA_TYPE("send the body as application/json")

    def _add_headers(self, scope: Scope, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        if scope["path"].startswith("/api/"):
            headers.setdefault("cache-control", "no-store")
            if headers.get("content-type", "").partition(";")[0] in _JSON_TYPES:
                # A browser that is led to an answer saves it and never shows it as a page (reflected content).
                headers.setdefault("content-disposition", 'attachment; filename="api.json"')


def _limited(receive: Receive) -> Receive:
    """Return a receive function that raises if a body without Content-Length exceeds the limit."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > BODY_LIMIT_OCTETS:
                raise HTTPException(413)  # FastAPI passes on no other error while it reads a body
        return message

    return receive_limited


def _host_name(host: str) -> str:
    """Return the name in a Host header without its port; "" if the header is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _security_headers(policy: EdgePolicy) -> dict[str, str]:
    connect = " ".join(("'self'", *policy.connect_origins))
    headers = {
        "content-security-policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {connect}; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if policy.https:
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    return headers

"""Middleware that counts every HTTP request by its route, and writes an access line where the operator wants it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCESS_EVENT: Final = "http_request"
"""The event of access lines; their number is not limited, because each stands for one request."""
UNMATCHED: Final = "(no route)"
SECONDS_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNANSWERED: Final = 499
"""Counted where the client went away before an answer began; no such status is sent."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class HttpCounts:
    """What was asked since the start of this process.

    Attributes:
        requests: by method, route and status. A route is its template (``/api/v1/sessions/{session_id}``), so the
            number of different keys is bounded, and no identifier or secret of a path is in it.
        seconds: the sum of the times from a request's head to the end of its answer, event streams left out.
        buckets: how many of them took at most each of ``SECONDS_BOUNDS``, not added up; the last is for the rest.
    """

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS_BOUNDS) + 1))

    def note(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one request; ``seconds`` is None for an event stream, which lasts as long as its reader."""
        self.requests[(method if method in _METHODS else "other", route, status)] += 1
        if seconds is not None:
            self.seconds += seconds
            place = next((at for at, bound in enumerate(SECONDS_BOUNDS) if seconds <= bound), len(SECONDS_BOUNDS))
            self.buckets[place] += 1


class AccessLog:
    """ASGI middleware: counts each request when it has ended; logs it if ``writes_lines``."""

    def __init__(self, app: ASGIApp, counts: HttpCounts, *, writes_lines: bool) -> None:
        self._app = app
        self._counts = counts
        self._writes_lines = writes_lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, octets, is_stream = _UNANSWERED, 0, False
        began = time.monotonic()

        async def send_counted(message: Message) -> None:
            nonlocal status, octets, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(
                    name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in message.get("headers", ())
                )
            else:
                octets += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            seconds = time.monotonic() - began
            route = route_of(scope)
            self._counts.note(scope["method"], route, status, None if is_stream else seconds)
            if self._writes_lines:
                client = scope.get("client") or ("", 0)
                _log.info(
                    ACCESS_EVENT,
                    method=scope["method"],
                    route=route,
                    status=status,
                    octets=octets,
                    milliseconds=round(seconds * 1000, 1),
                    client=client[0],
                )


def route_of(scope: Scope) -> str:
    """Return the template of the route that served a request; UNMATCHED if there was none."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else UNMATCHED

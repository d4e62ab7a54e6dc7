"""The JSON binding of the SM-DP+'s interfaces (SGP.22 v2, 6.5): read requests, build answers and refusals.

A refused function is answered with HTTP 200 and its subject and reason codes. A body that is not a request of the
interface (not JSON, too long, wrong media type) is refused by the HTTP status, with the same codes.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.database.errors import DatabaseBusyError
from kswifi.esim.errors import PackageRefusedError
from kswifi.kernel.text import is_storable
from kswifi.listeners.nosniff import NoSniff
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.status_codes import RspRefusedError, Status

PROTOCOL_HEADER: Final = "X-Admin-Protocol"
PROTOCOL: Final = "gsma/rsp/v2.5.0"
BODY_LIMIT_OCTETS: Final = 64 * 1024
MEDIA_TYPE: Final = "application/json"
HEADERS: Final = {PROTOCOL_HEADER: PROTOCOL, "Cache-Control": "no-store"}
_NUL: Final = b"\\u0000"  # the JSON escape of NUL
WITHOUT_BODY: Final = ("handleNotification",)
"""Functions whose answers have no header element, so that a refusal needs the HTTP status."""

_VERSION: Final = re.compile(r"gsma/rsp/v[23](\.[0-9]+){1,2}")

_log = structlog.get_logger(__name__)


class Message(msgspec.Struct, rename="camel", frozen=True):
    """A JSON object of the binding: camelCase names, octets as Base64; unknown members are ignored."""


class StatusCodeData(Message, frozen=True):
    """The codes of a failure (5.2.6)."""

    subject_code: str
    reason_code: str
    message: str


class ExecutionStatus(Message, frozen=True, omit_defaults=True):
    """The result of a function (6.5.1.4)."""

    status: str
    status_code_data: StatusCodeData | None = None


class ResponseHeader(Message, frozen=True):
    """The header element of an answer."""

    function_execution_status: ExecutionStatus


_SUCCESS: Final = ResponseHeader(ExecutionStatus("Executed-Success"))


class Answer(Message, frozen=True):
    """An answer that has only a header."""

    header: ResponseHeader = _SUCCESS


_M = TypeVar("_M", bound=Message)
Handler = Callable[[Request], Awaitable[Response]]


def application(routes: Sequence[Route]) -> Starlette:
    """Build the ASGI application of these routes."""
    return Starlette(
        routes=list(routes),
        exception_handlers={HTTPException: _http_refusal},
        middleware=[Middleware(NoSniff)],
    )


class NotThisProtocolError(Exception):
    """The request is not one of this interface; it is answered with an HTTP error status."""

    def __init__(self, http_status: int, status: Status, words: str | None = None) -> None:
        super().__init__(words or status.words)
        self.http_status = http_status
        self.status = status


def function(name: str, handler: Handler) -> Handler:
    """Wrap a function so that every error becomes an answer; no traceback leaves the process."""

    async def serve(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - the edge of the process
            refusal = refusal_of(name, error)
            return failed(refusal.http_status, refusal.status, refusal.words)

    return serve


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a function that raised: HTTP 200 if its header element has the status, else an HTTP error."""

    http_status: int
    status: Status
    words: str


def refusal_of(name: str, error: Exception) -> Refusal:
    """Return the refusal for an error, the same in both bindings; details of internal errors go to the log only."""
    match error:
        case RspRefusedError():
            if error.status is Status.REQUESTER_UNKNOWN:  # an event of its own, whose lines a flood does not hide
                _log.warning("es2plus_requester_refused", function=name)
            _log.info("rsp_refused", function=name, status=error.status.name.lower(), reason=error.message)
            return Refusal(200, error.status, error.message)
        case RspDecodeError():
            # It is no structure of SGP.22. The answer of a notification has no header element for the refusal.
            return Refusal(400 if name in WITHOUT_BODY else 200, Status.MALFORMED, error.message)
        case PackageRefusedError():
            _log.error("profile_package_missing", function=name, reason=error.message)
            return Refusal(200, Status.BOUND_PACKAGE_UNAVAILABLE, error.message)
        case NotThisProtocolError():
            return Refusal(error.http_status, error.status, str(error))
        case DatabaseBusyError():
            return Refusal(503, Status.MALFORMED, error.message)
    _log.error("rsp_function_failed", function=name, exc_info=error)
    return Refusal(500, Status.MALFORMED, "the server could not do it")


async def read(request: Request, kind: type[_M]) -> _M:
    """Decode the message of a request.

    Raises:
        RspRefusedError: an unsupported version of the protocol.
        NotThisProtocolError: too long, wrong media type, not JSON, or not this message.
    """
    check_version(request)
    body = await read_body(request, MEDIA_TYPE)
    if _NUL in body and not is_storable(_decoded(body)):  # msgspec itself refuses an unpaired surrogate
        raise NotThisProtocolError(400, Status.MALFORMED, "text with NUL is not taken")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        raise NotThisProtocolError(
            400, Status.ELEMENT_MISSING if missing else Status.MALFORMED, str(error)
        ) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise NotThisProtocolError(400, Status.MALFORMED, "the body is no JSON") from None


def check_version(request: Request) -> None:
    """Check the protocol version in ``X-Admin-Protocol``, which both bindings use (SGP.22 v2, 6.2).

    A client of SGP.22 v3 sends the highest version that it supports, and accepts an answer in an older one. Our
    answer has the version of this server.

    Raises:
        RspRefusedError: it is not a version that includes this server's version.
    """
    version = request.headers.get(PROTOCOL_HEADER, PROTOCOL)
    if _VERSION.fullmatch(version.strip().lower()) is None:
        raise RspRefusedError(Status.VERSION_UNSUPPORTED, f"{PROTOCOL_HEADER}: {version[:40]}")


async def read_body(request: Request, media_type: str) -> bytes:
    """Read the body of a request.

    Raises:
        NotThisProtocolError: it is too long, or has a different media type.
    """
    if request.headers.get("Content-Type", media_type).partition(";")[0].strip().lower() != media_type:
        raise NotThisProtocolError(415, Status.MALFORMED, f"the media type is {media_type}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_OCTETS:
            raise NotThisProtocolError(413, Status.MALFORMED, f"a request has at most {BODY_LIMIT_OCTETS} octets")
    return bytes(body)


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None  # the caller refuses it as not JSON, or as a wrong message


def answer(content: Answer, http_status: int = 200) -> Response:
    """Build a response of the binding."""
    return Response(msgspec.json.encode(content), http_status, headers=HEADERS, media_type=MEDIA_TYPE)


def failed(http_status: int, status: Status, words: str) -> Response:
    """Build a refusal."""
    data = StatusCodeData(status.subject_code, status.reason_code, words)
    return answer(Answer(ResponseHeader(ExecutionStatus("Failed", data))), http_status)


async def _http_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for HTTPException only
    return failed(error.status_code, Status.MALFORMED, "there is no such function here")

"""ES9+ over HTTPS: the JSON binding of SGP.22 v2 (6.5.2) around the SM-DP+ of ``esim``.

A function that is refused is answered with HTTP 200 and its subject and reason codes. What is no request of this
interface at all (no JSON, too long, another media type) is refused by its HTTP status, with the same element.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.database.errors import DatabaseBusyError
from kswifi.esim.errors import PackageRefusedError
from kswifi.esim.install_results import InstallResults
from kswifi.esim.provisioning import Provisioning
from kswifi.rsp import tlv
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.fields import OCTET_STRING, SIGNATURE
from kswifi.rsp.status_codes import RspRefusedError, Status

PATH: Final = "/gsma/rsp2/es9plus/"
PROTOCOL_HEADER: Final = "X-Admin-Protocol"
PROTOCOL: Final = "gsma/rsp/v2.5.0"
BODY_LIMIT_OCTETS: Final = 64 * 1024
_MAX_TRANSACTION_ID_DIGITS: Final = 32
_MEDIA_TYPE: Final = "application/json"
_HEADERS: Final = {PROTOCOL_HEADER: PROTOCOL, "Cache-Control": "no-store"}

_log = structlog.get_logger(__name__)


class _Message(msgspec.Struct, rename="camel", frozen=True):
    """A JSON object of the binding: camelCase names, octets as Base64; what it does not know it passes over."""


class InitiateAuthenticationRequest(_Message, frozen=True):
    """What initiateAuthentication asks with (6.5.2.6)."""

    euicc_challenge: bytes
    euicc_info1: bytes
    smdp_address: str


class AuthenticateClientRequest(_Message, frozen=True):
    """What authenticateClient asks with (6.5.2.8)."""

    transaction_id: str
    authenticate_server_response: bytes


class GetBoundProfilePackageRequest(_Message, frozen=True):
    """What getBoundProfilePackage asks with (6.5.2.7)."""

    transaction_id: str
    prepare_download_response: bytes


class HandleNotificationRequest(_Message, frozen=True):
    """What handleNotification brings (6.5.2.9)."""

    pending_notification: bytes


class CancelSessionRequest(_Message, frozen=True):
    """What cancelSession asks with (6.5.2.10)."""

    transaction_id: str
    cancel_session_response: bytes


class StatusCodeData(_Message, frozen=True):
    """Why a function failed (5.2.6)."""

    subject_code: str
    reason_code: str
    message: str


class ExecutionStatus(_Message, frozen=True, omit_defaults=True):
    """How a function went (6.5.1.4)."""

    status: str
    status_code_data: StatusCodeData | None = None


class ResponseHeader(_Message, frozen=True):
    """The header element of every answer."""

    function_execution_status: ExecutionStatus


_SUCCESS: Final = ResponseHeader(ExecutionStatus("Executed-Success"))


class Answer(_Message, frozen=True):
    """An answer with nothing but its header."""

    header: ResponseHeader = _SUCCESS


class InitiateAuthenticationAnswer(Answer, frozen=True, kw_only=True):
    """The answer of initiateAuthentication."""

    transaction_id: str
    server_signed1: bytes
    server_signature1: bytes
    ci_key: bytes = msgspec.field(name="euiccCiPKIdToBeUsed")
    server_certificate: bytes


class AuthenticateClientAnswer(Answer, frozen=True, kw_only=True):
    """The answer of authenticateClient."""

    transaction_id: str
    profile_metadata: bytes
    smdp_signed2: bytes
    smdp_signature2: bytes
    smdp_certificate: bytes


class GetBoundProfilePackageAnswer(Answer, frozen=True, kw_only=True):
    """The answer of getBoundProfilePackage."""

    transaction_id: str
    bound_profile_package: bytes


_M = TypeVar("_M", bound=_Message)
_Handler = Callable[[Request], Awaitable[Response]]


class Es9Plus:
    """The five functions as Starlette endpoints."""

    def __init__(self, provisioning: Provisioning, results: InstallResults) -> None:
        self._provisioning = provisioning
        self._results = results

    def application(self) -> Starlette:
        """Return the ASGI application."""
        functions: dict[str, _Handler] = {
            "initiateAuthentication": self.initiate_authentication,
            "authenticateClient": self.authenticate_client,
            "getBoundProfilePackage": self.get_bound_profile_package,
            "handleNotification": self.handle_notification,
            "cancelSession": self.cancel_session,
        }
        return Starlette(
            routes=[
                Route(PATH + name, _function(name, handler), methods=["POST"])
                for name, handler in functions.items()
            ],
            exception_handlers={HTTPException: _http_refusal},
        )

    async def initiate_authentication(self, request: Request) -> Response:
        """ES9+.InitiateAuthentication (SGP.22, 5.6.1)."""
        asked = await _read(request, InitiateAuthenticationRequest)
        begun = self._provisioning.initiate_authentication(
            asked.euicc_challenge, asked.euicc_info1, asked.smdp_address
        )
        return _answer(
            InitiateAuthenticationAnswer(
                transaction_id=_digits(begun.transaction_id),
                server_signed1=begun.server_signed1.raw,
                server_signature1=tlv.encode(SIGNATURE, begun.server_signature1),
                ci_key=tlv.encode(OCTET_STRING, begun.ci_key_to_be_used),
                server_certificate=begun.server_certificate,
            )
        )

    async def authenticate_client(self, request: Request) -> Response:
        """ES9+.AuthenticateClient (SGP.22, 5.6.3)."""
        asked = await _read(request, AuthenticateClientRequest)
        transaction_id = _octets(asked.transaction_id)
        offered = await self._provisioning.authenticate_client(transaction_id, asked.authenticate_server_response)
        prepared = offered.prepared
        return _answer(
            AuthenticateClientAnswer(
                transaction_id=_digits(transaction_id),
                profile_metadata=offered.metadata,
                smdp_signed2=prepared.smdp_signed2.raw,
                smdp_signature2=tlv.encode(SIGNATURE, prepared.smdp_signature2),
                smdp_certificate=prepared.smdp_certificate,
            )
        )

    async def get_bound_profile_package(self, request: Request) -> Response:
        """ES9+.GetBoundProfilePackage (SGP.22, 5.6.2)."""
        asked = await _read(request, GetBoundProfilePackageRequest)
        transaction_id = _octets(asked.transaction_id)
        package = await self._provisioning.get_bound_profile_package(
            transaction_id, asked.prepare_download_response
        )
        return _answer(
            GetBoundProfilePackageAnswer(transaction_id=_digits(transaction_id), bound_profile_package=package)
        )

    async def handle_notification(self, request: Request) -> Response:
        """ES9+.HandleNotification (SGP.22, 5.6.4): its answer has no body."""
        asked = await _read(request, HandleNotificationRequest)
        await self._results.handle_notification(asked.pending_notification)
        return Response(status_code=204, headers=_HEADERS)

    async def cancel_session(self, request: Request) -> Response:
        """ES9+.CancelSession (SGP.22, 5.6.5)."""
        asked = await _read(request, CancelSessionRequest)
        await self._provisioning.cancel_session(_octets(asked.transaction_id), asked.cancel_session_response)
        return _answer(Answer())


class _NotThisProtocolError(Exception):
    """No request of this interface: the HTTP status says so."""

    def __init__(self, http_status: int, status: Status, words: str | None = None) -> None:
        super().__init__(words or status.words)
        self.http_status = http_status
        self.status = status


def _function(name: str, handler: _Handler) -> _Handler:
    """Wrap a function so that whatever it refuses is an answer; nothing of ours gets out by a traceback."""

    async def serve(request: Request) -> Response:
        try:
            return await handler(request)
        except RspRefusedError as refused:
            _log.info("rsp_refused", function=name, status=refused.status.name.lower(), reason=refused.message)
            return _failed(200, refused.status, refused.message)
        except RspDecodeError as error:
            # JSON that holds no structure of SGP.22. A notification's answer has no header element to say it in.
            return _failed(400 if name == "handleNotification" else 200, Status.MALFORMED, error.message)
        except PackageRefusedError as error:
            _log.error("profile_package_missing", function=name, reason=error.message)
            return _failed(200, Status.BOUND_PACKAGE_UNAVAILABLE, error.message)
        except _NotThisProtocolError as error:
            return _failed(error.http_status, error.status, str(error))
        except ClientDisconnect:
            return Response(status_code=400)
        except DatabaseBusyError as error:
            return _failed(503, Status.MALFORMED, error.message)
        except Exception:  # noqa: BLE001 - the edge of the process
            # Said in full in the log, where no key ever is, and not at all outside.
            _log.exception("es9plus_failed", function=name)
            return _failed(500, Status.MALFORMED, "the server could not do it")

    return serve


async def _read(request: Request, kind: type[_M]) -> _M:
    version = request.headers.get(PROTOCOL_HEADER, PROTOCOL)
    if not version.lower().startswith("gsma/rsp/v2."):
        raise RspRefusedError(Status.VERSION_UNSUPPORTED, f"{PROTOCOL_HEADER}: {version[:40]}")
    if request.headers.get("Content-Type", _MEDIA_TYPE).partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise _NotThisProtocolError(415, Status.MALFORMED, f"the media type is {_MEDIA_TYPE}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_OCTETS:
            raise _NotThisProtocolError(413, Status.MALFORMED, f"a request has at most {BODY_LIMIT_OCTETS} octets")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        raise _NotThisProtocolError(
            400, Status.ELEMENT_MISSING if missing else Status.MALFORMED, str(error)
        ) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _NotThisProtocolError(400, Status.MALFORMED, "the body is no JSON") from None


def _octets(transaction_id: str) -> bytes:
    """Return a transaction id's octets: whatever the case of its digits, they are one transaction."""
    try:
        return bytes.fromhex(transaction_id[: _MAX_TRANSACTION_ID_DIGITS + 1])
    except ValueError:
        raise RspRefusedError(Status.TRANSACTION_UNKNOWN) from None


def _digits(transaction_id: bytes) -> str:
    return transaction_id.hex().upper()


def _answer(answer: Answer, http_status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), http_status, headers=_HEADERS, media_type=_MEDIA_TYPE)


def _failed(http_status: int, status: Status, words: str) -> Response:
    data = StatusCodeData(status.subject_code, status.reason_code, words)
    return _answer(Answer(ResponseHeader(ExecutionStatus("Failed", data))), http_status)


async def _http_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    return _failed(error.status_code, Status.MALFORMED, "there is no such function here")

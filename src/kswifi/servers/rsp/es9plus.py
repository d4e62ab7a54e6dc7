"""ES9+ over HTTPS: the JSON binding of SGP.22 v2 (6.5.2) for the SM-DP+ in ``esim``.

A download takes three requests: initiateAuthentication (the server proves itself to the card), authenticateClient
(the card proves itself and gets the profile's metadata), getBoundProfilePackage (the profile, encrypted for this
card). handleNotification then reports the card's signed result.
"""

from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.esim.smdp.install_results import InstallResults
from kswifi.esim.smdp.provisioning import Provisioning
from kswifi.rsp import tlv
from kswifi.rsp.fields import OCTET_STRING, SIGNATURE
from kswifi.rsp.status_codes import RspRefusedError, Status
from kswifi.servers.rsp.json_binding import (
    HEADERS,
    Answer,
    Handler,
    Message,
    answer,
    application,
    function,
    read,
)

PATH: Final = "/gsma/rsp2/es9plus/"
_MAX_TRANSACTION_ID_DIGITS: Final = 32


class InitiateAuthenticationRequest(Message, frozen=True):
    """The request of initiateAuthentication (6.5.2.6)."""

    euicc_challenge: bytes
    euicc_info1: bytes
    smdp_address: str


class AuthenticateClientRequest(Message, frozen=True):
    """The request of authenticateClient (6.5.2.8)."""

    transaction_id: str
    authenticate_server_response: bytes


class GetBoundProfilePackageRequest(Message, frozen=True):
    """The request of getBoundProfilePackage (6.5.2.7)."""

    transaction_id: str
    prepare_download_response: bytes


class HandleNotificationRequest(Message, frozen=True):
    """The request of handleNotification (6.5.2.9)."""

    pending_notification: bytes


class CancelSessionRequest(Message, frozen=True):
    """The request of cancelSession (6.5.2.10)."""

    transaction_id: str
    cancel_session_response: bytes


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


class Es9Plus:
    """The five functions as Starlette endpoints."""

    def __init__(self, provisioning: Provisioning, results: InstallResults) -> None:
        self._provisioning = provisioning
        self._results = results

    def routes(self) -> list[Route]:
        """Return the routes of the functions."""
        functions: dict[str, Handler] = {
            "initiateAuthentication": self.initiate_authentication,
            "authenticateClient": self.authenticate_client,
            "getBoundProfilePackage": self.get_bound_profile_package,
            "handleNotification": self.handle_notification,
            "cancelSession": self.cancel_session,
        }
        return [
            Route(PATH + name, function(name, handler), methods=["POST"]) for name, handler in functions.items()
        ]

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return application(self.routes())

    async def initiate_authentication(self, request: Request) -> Response:
        """Answer ES9+.InitiateAuthentication (SGP.22, 5.6.1)."""
        asked = await read(request, InitiateAuthenticationRequest)
        begun = self._provisioning.initiate_authentication(
            asked.euicc_challenge, asked.euicc_info1, asked.smdp_address
        )
        return answer(
            InitiateAuthenticationAnswer(
                transaction_id=_digits(begun.transaction_id),
                server_signed1=begun.server_signed1.raw,
                server_signature1=tlv.encode(SIGNATURE, begun.server_signature1),
                ci_key=tlv.encode(OCTET_STRING, begun.ci_key_to_be_used),
                server_certificate=begun.server_certificate,
            )
        )

    async def authenticate_client(self, request: Request) -> Response:
        """Answer ES9+.AuthenticateClient (SGP.22, 5.6.3)."""
        asked = await read(request, AuthenticateClientRequest)
        transaction_id = _octets(asked.transaction_id)
        offered = await self._provisioning.authenticate_client(transaction_id, asked.authenticate_server_response)
        prepared = offered.prepared
        return answer(
            AuthenticateClientAnswer(
                transaction_id=_digits(transaction_id),
                profile_metadata=offered.metadata,
                smdp_signed2=prepared.smdp_signed2.raw,
                smdp_signature2=tlv.encode(SIGNATURE, prepared.smdp_signature2),
                smdp_certificate=prepared.smdp_certificate,
            )
        )

    async def get_bound_profile_package(self, request: Request) -> Response:
        """Answer ES9+.GetBoundProfilePackage (SGP.22, 5.6.2)."""
        asked = await read(request, GetBoundProfilePackageRequest)
        transaction_id = _octets(asked.transaction_id)
        package = await self._provisioning.get_bound_profile_package(
            transaction_id, asked.prepare_download_response
        )
        return answer(
            GetBoundProfilePackageAnswer(transaction_id=_digits(transaction_id), bound_profile_package=package)
        )

    async def handle_notification(self, request: Request) -> Response:
        """Answer ES9+.HandleNotification (SGP.22, 5.6.4); the answer has no body."""
        asked = await read(request, HandleNotificationRequest)
        await self._results.handle_notification(asked.pending_notification)
        return Response(status_code=204, headers=HEADERS)

    async def cancel_session(self, request: Request) -> Response:
        """Answer ES9+.CancelSession (SGP.22, 5.6.5)."""
        asked = await read(request, CancelSessionRequest)
        await self._provisioning.cancel_session(_octets(asked.transaction_id), asked.cancel_session_response)
        return answer(Answer())


def _octets(transaction_id: str) -> bytes:
    """Decode a transaction id from hexadecimal; upper and lower case digits are equal."""
    try:
        return bytes.fromhex(transaction_id[: _MAX_TRANSACTION_ID_DIGITS + 1])
    except ValueError:
        raise RspRefusedError(Status.TRANSACTION_UNKNOWN) from None


def _digits(transaction_id: bytes) -> str:
    return transaction_id.hex().upper()

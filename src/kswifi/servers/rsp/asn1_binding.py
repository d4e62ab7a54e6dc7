"""ES9+ in the ASN.1 binding of SGP.22 v2 (6.6): all functions at one path, for the same SM-DP+ as the JSON binding.

A refused function is answered with HTTP 200 and the error code of that function's response. A body that is not a
request of this interface is refused by the HTTP status, without a body.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.esim.smdp.install_results import InstallResults
from kswifi.esim.smdp.provisioning import Provisioning
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.messages import es9plus
from kswifi.rsp.status_codes import Status
from kswifi.servers.rsp.json_binding import (
    HEADERS,
    NotThisProtocolError,
    check_version,
    read_body,
    refusal_of,
)

PATH: Final = "/gsma/rsp2/asn1"
MEDIA_TYPE: Final = "application/x-gsma-rsp-asn1"

_NAMES: Final = {
    es9plus.InitiateAuthenticationRequest.tag: "initiateAuthentication",
    es9plus.AuthenticateClientRequest.tag: "authenticateClient",
    es9plus.GetBoundProfilePackageRequest.tag: "getBoundProfilePackage",
    es9plus.CancelSessionRequestEs9.tag: "cancelSession",
    es9plus.HandleNotificationRequest.tag: "handleNotification",
}

ERROR_CODES: Final[Mapping[int, Mapping[Status, int]]] = MappingProxyType(
    {
        es9plus.InitiateAuthenticationRequest.tag: {
            Status.SMDP_ADDRESS_INVALID: 1,
            Status.SVN_UNSUPPORTED: 2,
            Status.CI_KEY_UNSUPPORTED: 3,
            Status.NO_CERTIFICATE_FOR_CI: 3,
        },
        es9plus.AuthenticateClientRequest.tag: {
            Status.EUM_CERTIFICATE_INVALID: 1,
            Status.EUM_CERTIFICATE_EXPIRED: 2,
            Status.EUICC_CERTIFICATE_INVALID: 3,
            Status.EUICC_CERTIFICATE_EXPIRED: 4,
            Status.EUICC_SIGNATURE_INVALID: 5,
            Status.MATCHING_ID_REFUSED: 6,
            Status.EID_MISMATCH: 7,
            Status.NOT_ELIGIBLE: 8,
            Status.CI_UNKNOWN: 9,
            Status.TRANSACTION_UNKNOWN: 10,
            Status.NO_MEMORY: 11,
        },
        es9plus.GetBoundProfilePackageRequest.tag: {
            Status.EUICC_SIGNATURE_INVALID: 1,
            Status.CONFIRMATION_CODE_MISSING: 2,
            Status.CONFIRMATION_CODE_REFUSED: 3,
            Status.CONFIRMATION_CODE_RETRIES_EXCEEDED: 4,
            Status.BOUND_PACKAGE_UNAVAILABLE: 5,
            Status.ORDER_EXPIRED: 6,
            Status.TRANSACTION_UNKNOWN: 95,
        },
        es9plus.CancelSessionRequestEs9.tag: {Status.TRANSACTION_UNKNOWN: 1, Status.EUICC_SIGNATURE_INVALID: 2},
    }
)
"""The error codes of each function's response (SGP.22 v2, 5.6). All other refusals are undefinedError."""


class Es9PlusAsn1:
    """The five functions as one Starlette endpoint."""

    def __init__(self, provisioning: Provisioning, results: InstallResults) -> None:
        self._provisioning = provisioning
        self._results = results

    def routes(self) -> list[Route]:
        """Return the endpoint's route."""
        return [Route(PATH, self.serve, methods=["POST"])]

    async def serve(self, request: Request) -> Response:
        """Answer one RemoteProfileProvisioningRequest; a refusal is an answer too."""
        tag = None
        try:
            body = await read_body(request, MEDIA_TYPE)
            asked = _decode(body)
            tag = asked.tag
            check_version(request)
            answer = await self._call(asked)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - the edge of the process: details go to the log only
            refusal = refusal_of("asn1" if tag is None else _NAMES[tag], error)
            codes = None if tag is None else ERROR_CODES.get(tag)
            if refusal.http_status != 200 or tag is None or codes is None:
                return Response(status_code=max(refusal.http_status, 400), headers=HEADERS)
            answer = es9plus.encode_error(tag, codes.get(refusal.status, es9plus.UNDEFINED_ERROR))
        if answer is None:
            return Response(status_code=204, headers=HEADERS)
        return Response(answer, headers=HEADERS, media_type=MEDIA_TYPE)

    async def _call(self, asked: es9plus.Request) -> bytes | None:
        """Call the function; return its response, or None if it has no body."""
        match asked:
            case es9plus.InitiateAuthenticationRequest():
                begun = self._provisioning.initiate_authentication(
                    asked.euicc_challenge, asked.euicc_info1, asked.smdp_address
                )
                return es9plus.initiate_authentication_ok(
                    begun.transaction_id,
                    begun.server_signed1.raw,
                    begun.server_signature1,
                    begun.ci_key_to_be_used,
                    begun.server_certificate,
                )
            case es9plus.AuthenticateClientRequest(transaction_id, response):
                offered = await self._provisioning.authenticate_client(transaction_id, response)
                prepared = offered.prepared
                return es9plus.authenticate_client_ok(
                    transaction_id,
                    offered.metadata,
                    prepared.smdp_signed2.raw,
                    prepared.smdp_signature2,
                    prepared.smdp_certificate,
                )
            case es9plus.GetBoundProfilePackageRequest(transaction_id, response):
                package = await self._provisioning.get_bound_profile_package(transaction_id, response)
                return es9plus.get_bound_profile_package_ok(transaction_id, package)
            case es9plus.CancelSessionRequestEs9(transaction_id, response):
                await self._provisioning.cancel_session(transaction_id, response)
                return es9plus.cancel_session_ok()
            case es9plus.HandleNotificationRequest(pending):
                await self._results.handle_notification(pending)
                return None


def _decode(body: bytes) -> es9plus.Request:
    try:
        return es9plus.decode_request(body)
    except RspDecodeError as error:
        raise NotThisProtocolError(400, Status.MALFORMED, error.message) from None

"""A client of ES9+ in its ASN.1 binding, for the LPA: what an IPA or an eIM speaks (SGP.22 v2, 6.6)."""

import ssl
from types import TracebackType
from typing import Self

import httpx2

from kswifi.lab.phone.es9 import AuthenticateClientAnswer, InitiateAuthenticationAnswer
from kswifi.rsp.fields import OCTET_STRING, SEQUENCE, SIGNATURE, Fields
from kswifi.rsp.messages import es9plus

URL = "/gsma/rsp2/asn1"
MEDIA_TYPE = "application/x-gsma-rsp-asn1"


class Asn1FailedError(Exception):
    """A function that was answered with an error code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Asn1Es9:
    """ES9+ in ASN.1 at a place, whatever the address is; use it with ``with``."""

    def __init__(self, context: ssl.SSLContext, place: str) -> None:
        self._client = httpx2.Client(verify=context, timeout=30, trust_env=False)
        self._place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def post(self, address: str, body: bytes, **headers: str) -> httpx2.Response:
        sent = {"Content-Type": MEDIA_TYPE, "X-Admin-Protocol": "gsma/rsp/v2.2.0", "Host": address, **headers}
        extensions = {"sni_hostname": address}
        return self._client.post(f"https://{self._place}{URL}", content=body, headers=sent, extensions=extensions)

    def _call(self, address: str, request: es9plus.Request) -> Fields:
        response = self.post(address, es9plus.encode_request(request))
        assert (response.status_code, response.headers["Content-Type"]) == (200, MEDIA_TYPE)
        assert response.headers["X-Admin-Protocol"].startswith("gsma/rsp/v2.")
        answer = es9plus.decode_response(response.content, request.tag)
        if isinstance(answer, int):
            raise Asn1FailedError(answer)
        return answer

    def initiate_authentication(
        self, address: str, euicc_challenge: bytes, euicc_info1: bytes
    ) -> InitiateAuthenticationAnswer:
        request = es9plus.InitiateAuthenticationRequest(euicc_challenge, address, euicc_info1)
        answer = self._call(address, request)
        return InitiateAuthenticationAnswer(
            answer.octets(0x80),
            answer.required(SEQUENCE).raw,
            answer.required(SIGNATURE).raw,
            answer.required(OCTET_STRING).raw,
            answer.required(SEQUENCE).raw,
        )

    def authenticate_client(self, address: str, transaction_id: bytes, response: bytes) -> AuthenticateClientAnswer:
        answer = self._call(address, es9plus.AuthenticateClientRequest(transaction_id, response))
        assert answer.octets(0x80) == transaction_id
        return AuthenticateClientAnswer(
            answer.required(0xBF25).raw,
            answer.required(SEQUENCE).raw,
            answer.required(SIGNATURE).raw,
            answer.required(SEQUENCE).raw,
        )

    def get_bound_profile_package(self, address: str, transaction_id: bytes, response: bytes) -> bytes:
        answer = self._call(address, es9plus.GetBoundProfilePackageRequest(transaction_id, response))
        assert answer.octets(0x80) == transaction_id
        return answer.required(0xBF36).raw

    def cancel_session(self, address: str, transaction_id: bytes, response: bytes) -> None:
        self._call(address, es9plus.CancelSessionRequestEs9(transaction_id, response))

    def handle_notification(self, address: str, notification: bytes) -> None:
        response = self.post(address, es9plus.encode_request(es9plus.HandleNotificationRequest(notification)))
        assert (response.status_code, response.content) == (204, b"")

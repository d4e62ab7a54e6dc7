"""ES9+ in ASN.1: RemoteProfileProvisioningRequest and -Response (SGP.22 v2, 2.6.5 and 6.6).

The module has AUTOMATIC TAGS: where a structure gives no tag, its components and alternatives are numbered from 0.
"""

from dataclasses import dataclass
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.fields import (
    OCTET_STRING,
    SIGNATURE,
    Fields,
    choice,
    encode_integer,
    encode_text,
    unknown_alternative,
)
from kswifi.rsp.messages.authentication import CHALLENGE_OCTETS, MAX_TRANSACTION_ID_OCTETS, TAG_AUTHENTICATE_SERVER
from kswifi.rsp.messages.download import TAG_CANCEL_SESSION, TAG_PREPARE_DOWNLOAD
from kswifi.rsp.messages.euicc_info import TAG_EUICC_INFO1

TAG_PROVISIONING: Final = 0xA2
_STRUCTURE: Final = "RemoteProfileProvisioningRequest"
_OK: Final = 0xA0
_ERROR: Final = 0x81
_TRANSACTION_ID: Final = 0x80
_FIRST: Final = 0xA0
_SECOND: Final = 0xA1
UNDEFINED_ERROR: Final = 127


@dataclass(frozen=True, slots=True)
class InitiateAuthenticationRequest:
    """The request of initiateAuthentication; ``euicc_info1`` is BF20 as received."""

    euicc_challenge: bytes
    smdp_address: str
    euicc_info1: bytes
    tag = 0xBF39

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Decode the content of BF39."""
        challenge = fields.octets(0x81, CHALLENGE_OCTETS, CHALLENGE_OCTETS)
        return cls(challenge, fields.text(0x83), fields.required(TAG_EUICC_INFO1).raw)

    def content(self) -> bytes:
        """Encode the content of BF39."""
        return tlv.encode(0x81, self.euicc_challenge) + encode_text(0x83, self.smdp_address) + self.euicc_info1


@dataclass(frozen=True, slots=True)
class AuthenticateClientRequest:
    """The request of authenticateClient; ``response`` is AuthenticateServerResponse (BF38) as received."""

    transaction_id: bytes
    response: bytes
    tag = 0xBF3B

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Decode the content of BF3B."""
        return cls(_transaction_id(fields), fields.required(TAG_AUTHENTICATE_SERVER).raw)

    def content(self) -> bytes:
        """Encode the content of BF3B."""
        return tlv.encode(_TRANSACTION_ID, self.transaction_id) + self.response


@dataclass(frozen=True, slots=True)
class GetBoundProfilePackageRequest:
    """The request of getBoundProfilePackage; ``response`` is PrepareDownloadResponse (BF21) as received."""

    transaction_id: bytes
    response: bytes
    tag = 0xBF3A

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Decode the content of BF3A."""
        return cls(_transaction_id(fields), fields.required(TAG_PREPARE_DOWNLOAD).raw)

    def content(self) -> bytes:
        """Encode the content of BF3A."""
        return tlv.encode(_TRANSACTION_ID, self.transaction_id) + self.response


@dataclass(frozen=True, slots=True)
class CancelSessionRequestEs9:
    """The request of cancelSession; ``response`` is CancelSessionResponse with its own tag (BF41).

    In ASN.1 the automatic tag [1] replaces that tag (X.680, 31.2.7). LPAs differ, so the decoder accepts
    either tag, and both.
    """

    transaction_id: bytes
    response: bytes
    tag = TAG_CANCEL_SESSION

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Decode the content of BF41."""
        transaction_id = _transaction_id(fields)
        item = fields.optional(_SECOND)
        if item is None:
            return cls(transaction_id, fields.required(TAG_CANCEL_SESSION).raw)
        inner = Fields(item.value, _STRUCTURE).optional(TAG_CANCEL_SESSION)
        return cls(transaction_id, tlv.encode(TAG_CANCEL_SESSION, item.value) if inner is None else inner.raw)

    def content(self) -> bytes:
        """Encode the content of BF41."""
        value = tlv.only(self.response, TAG_CANCEL_SESSION).value
        return tlv.encode(_TRANSACTION_ID, self.transaction_id) + tlv.encode(_SECOND, value)


@dataclass(frozen=True, slots=True)
class HandleNotificationRequest:
    """The request of handleNotification; the automatic tag [0] wraps PendingNotification, which is a CHOICE.

    LPAs differ, so a notification without that tag is accepted too.
    """

    pending: bytes
    tag = 0xBF3D

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Decode the content of BF3D."""
        item = fields.next()
        return cls(item.value if item.tag == _FIRST else item.raw)

    def content(self) -> bytes:
        """Encode the content of BF3D."""
        return tlv.encode(_FIRST, self.pending)


Request = (
    InitiateAuthenticationRequest
    | AuthenticateClientRequest
    | GetBoundProfilePackageRequest
    | CancelSessionRequestEs9
    | HandleNotificationRequest
)
_REQUESTS: Final[dict[int, type[Request]]] = {
    kind.tag: kind
    for kind in (
        InitiateAuthenticationRequest,
        AuthenticateClientRequest,
        GetBoundProfilePackageRequest,
        CancelSessionRequestEs9,
        HandleNotificationRequest,
    )
}


def decode_request(octets: bytes) -> Request:
    """Decode a RemoteProfileProvisioningRequest (A2) of any function.

    Raises:
        RspDecodeError: it is not such a request.
    """
    item = choice(octets, TAG_PROVISIONING, _STRUCTURE)
    kind = _REQUESTS.get(item.tag)
    if kind is None:
        raise unknown_alternative(item, _STRUCTURE)
    return kind.read(Fields(item.value, _STRUCTURE))


def encode_request(request: Request) -> bytes:
    """Encode a RemoteProfileProvisioningRequest."""
    return tlv.encode(TAG_PROVISIONING, tlv.encode(request.tag, request.content()))


def encode_ok(tag: int, *content: bytes) -> bytes:
    """Encode the successful RemoteProfileProvisioningResponse of a function, named by its request's tag."""
    return tlv.encode(TAG_PROVISIONING, tlv.encode(tag, tlv.encode(_OK, *content)))


def encode_error(tag: int, code: int) -> bytes:
    """Encode the RemoteProfileProvisioningResponse of a refused function."""
    return tlv.encode(TAG_PROVISIONING, tlv.encode(tag, encode_integer(_ERROR, code)))


def decode_response(octets: bytes, tag: int) -> Fields | int:
    """Decode the response of a function: its content, or its error code.

    Raises:
        RspDecodeError: it is not a response of this function.
    """
    structure = "RemoteProfileProvisioningResponse"
    function = choice(octets, TAG_PROVISIONING, structure)
    item = choice(function.raw, tag, structure)
    if item.tag == _OK:
        return Fields(item.value, structure)
    if item.tag == _ERROR:
        return Fields(item.raw, structure).integer(_ERROR)
    raise unknown_alternative(item, structure)


def initiate_authentication_ok(
    transaction_id: bytes, server_signed1: bytes, server_signature1: bytes, ci_key: bytes, certificate: bytes
) -> bytes:
    """Encode the answer of initiateAuthentication; signature and CI key are given without their tags."""
    return encode_ok(
        InitiateAuthenticationRequest.tag,
        tlv.encode(_TRANSACTION_ID, transaction_id),
        server_signed1,
        tlv.encode(SIGNATURE, server_signature1),
        tlv.encode(OCTET_STRING, ci_key),
        certificate,
    )


def authenticate_client_ok(
    transaction_id: bytes, metadata: bytes, smdp_signed2: bytes, smdp_signature2: bytes, certificate: bytes
) -> bytes:
    """Encode the answer of authenticateClient; the signature is given without its tag."""
    return encode_ok(
        AuthenticateClientRequest.tag,
        tlv.encode(_TRANSACTION_ID, transaction_id),
        metadata,
        smdp_signed2,
        tlv.encode(SIGNATURE, smdp_signature2),
        certificate,
    )


def get_bound_profile_package_ok(transaction_id: bytes, package: bytes) -> bytes:
    """Encode the answer of getBoundProfilePackage."""
    return encode_ok(GetBoundProfilePackageRequest.tag, tlv.encode(_TRANSACTION_ID, transaction_id), package)


def cancel_session_ok() -> bytes:
    """Encode the answer of cancelSession, which has no content."""
    return encode_ok(CancelSessionRequestEs9.tag)


def _transaction_id(fields: Fields) -> bytes:
    return fields.octets(_TRANSACTION_ID, 1, MAX_TRANSACTION_ID_OCTETS)

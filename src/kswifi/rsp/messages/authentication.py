"""Common mutual authentication: AuthenticateServer and its signed parts (SGP.22, 5.6.1 and 5.7.13)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.fields import (
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SIGNATURE,
    Fields,
    choice,
    encode_integer,
    encode_optional,
    encode_text,
    unknown_alternative,
)
from kswifi.rsp.messages.euicc_info import TAG_EUICC_INFO2, EuiccInfo2

TAG_AUTHENTICATE_SERVER: Final = 0xBF38
CHALLENGE_OCTETS: Final = 16
MAX_TRANSACTION_ID_OCTETS: Final = 16
_OK: Final = 0xA0
_ERROR: Final = 0xA1


class AuthenticateError(IntEnum):
    """AuthenticateErrorCode: why a card refuses a server."""

    INVALID_CERTIFICATE = 1
    INVALID_SIGNATURE = 2
    UNSUPPORTED_CURVE = 3
    NO_SESSION_CONTEXT = 4
    INVALID_OID = 5
    EUICC_CHALLENGE_MISMATCH = 6
    CI_KEY_UNKNOWN = 7
    UNDEFINED_ERROR = 127


@dataclass(frozen=True, slots=True)
class ServerSigned1:
    """The data that a server signs first: both challenges and its address, in one transaction."""

    raw: bytes
    transaction_id: bytes
    euicc_challenge: bytes
    server_address: str
    server_challenge: bytes

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the SEQUENCE."""
        fields = Fields.of(octets, SEQUENCE, "ServerSigned1")
        return cls(
            octets,
            fields.octets(0x80, 1, MAX_TRANSACTION_ID_OCTETS),
            fields.octets(0x81, CHALLENGE_OCTETS, CHALLENGE_OCTETS),
            fields.text(0x83),
            fields.octets(0x84, CHALLENGE_OCTETS, CHALLENGE_OCTETS),
        )

    @classmethod
    def build(
        cls, *, transaction_id: bytes, euicc_challenge: bytes, server_address: str, server_challenge: bytes
    ) -> Self:
        """Encode the SEQUENCE."""
        return cls.decode(
            tlv.encode(
                SEQUENCE,
                tlv.encode(0x80, transaction_id),
                tlv.encode(0x81, euicc_challenge),
                encode_text(0x83, server_address),
                tlv.encode(0x84, server_challenge),
            )
        )


@dataclass(frozen=True, slots=True)
class CtxParams1:
    """The data that the LPA adds: the MatchingID (None if omitted, "" if empty) and the device.

    ``device_capabilities`` is kept as received: our SM-DP+ does not use it.
    """

    matching_id: str | None
    tac: bytes
    imei: bytes | None = None
    device_capabilities: bytes = b""

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode A0, ctxParamsForCommonAuthentication, the only alternative of v2."""
        fields = Fields.of(octets, 0xA0, "CtxParams1")
        matching_id = fields.optional_text(0x80)
        device = fields.inside(0xA1)
        return cls(
            matching_id,
            tac=device.octets(0x80, 4, 4),  # four octets: type allocation code, TS 23.003, 6.2.1
            device_capabilities=device.octets(0xA1),
            imei=device.optional_octets(0x82, 8, 8),
        )

    def encode(self) -> bytes:
        """Encode A0."""
        return tlv.encode(
            0xA0,
            b"" if self.matching_id is None else encode_text(0x80, self.matching_id),
            tlv.encode(
                0xA1,
                tlv.encode(0x80, self.tac),
                tlv.encode(0xA1, self.device_capabilities),
                encode_optional(0x82, self.imei),
            ),
        )


@dataclass(frozen=True, slots=True)
class EuiccSigned1:
    """The data that the card signs in its answer."""

    raw: bytes
    transaction_id: bytes
    server_address: str
    server_challenge: bytes
    euicc_info2: EuiccInfo2
    ctx_params1: CtxParams1

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the SEQUENCE."""
        fields = Fields.of(octets, SEQUENCE, "EuiccSigned1")
        return cls(
            octets,
            fields.octets(0x80, 1, MAX_TRANSACTION_ID_OCTETS),
            fields.text(0x83),
            fields.octets(0x84, CHALLENGE_OCTETS, CHALLENGE_OCTETS),
            EuiccInfo2.decode(fields.required(TAG_EUICC_INFO2).raw),
            CtxParams1.decode(fields.required(0xA0).raw),
        )

    @classmethod
    def build(cls, server_signed1: ServerSigned1, euicc_info2: EuiccInfo2, ctx_params1: CtxParams1) -> Self:
        """Encode the answer to a server, with the transaction, address and challenge of the server's request."""
        return cls.decode(
            tlv.encode(
                SEQUENCE,
                tlv.encode(0x80, server_signed1.transaction_id),
                encode_text(0x83, server_signed1.server_address),
                tlv.encode(0x84, server_signed1.server_challenge),
                euicc_info2.raw,
                ctx_params1.encode(),
            )
        )


@dataclass(frozen=True, slots=True)
class AuthenticateServerRequest:
    """ES10b.AuthenticateServer: the LPA passes the answer of initiateAuthentication to the card."""

    server_signed1: ServerSigned1
    server_signature1: bytes
    ci_key_to_be_used: bytes
    server_certificate: bytes
    ctx_params1: CtxParams1

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF38."""
        fields = Fields.of(octets, TAG_AUTHENTICATE_SERVER, "AuthenticateServerRequest")
        return cls(
            ServerSigned1.decode(fields.required(SEQUENCE).raw),
            fields.octets(SIGNATURE),
            fields.octets(OCTET_STRING, 1, 64),
            fields.required(SEQUENCE).raw,
            CtxParams1.decode(fields.required(0xA0).raw),
        )

    def encode(self) -> bytes:
        """Encode BF38."""
        return tlv.encode(
            TAG_AUTHENTICATE_SERVER,
            self.server_signed1.raw,
            tlv.encode(SIGNATURE, self.server_signature1),
            tlv.encode(OCTET_STRING, self.ci_key_to_be_used),
            self.server_certificate,
            self.ctx_params1.encode(),
        )


@dataclass(frozen=True, slots=True)
class AuthenticateResponseOk:
    """The card's successful answer; both certificates are DER as received."""

    euicc_signed1: EuiccSigned1
    euicc_signature1: bytes
    euicc_certificate: bytes
    eum_certificate: bytes

    @property
    def transaction_id(self) -> bytes:
        """Return the signed transaction id."""
        return self.euicc_signed1.transaction_id

    def encode(self) -> bytes:
        """Encode BF38."""
        signature = tlv.encode(SIGNATURE, self.euicc_signature1)
        certificates = self.euicc_certificate + self.eum_certificate
        return tlv.encode(TAG_AUTHENTICATE_SERVER, tlv.encode(_OK, self.euicc_signed1.raw, signature, certificates))


@dataclass(frozen=True, slots=True)
class AuthenticateResponseError:
    """The card's refusal; the code may be one that ``AuthenticateError`` does not list."""

    transaction_id: bytes
    error_code: int

    def encode(self) -> bytes:
        """Encode BF38."""
        content = tlv.encode(0x80, self.transaction_id) + encode_integer(INTEGER, self.error_code)
        return tlv.encode(TAG_AUTHENTICATE_SERVER, tlv.encode(_ERROR, content))


def decode_authenticate_server_response(octets: bytes) -> AuthenticateResponseOk | AuthenticateResponseError:
    """Decode the card's answer to AuthenticateServer: success or error."""
    structure = "AuthenticateServerResponse"
    item = choice(octets, TAG_AUTHENTICATE_SERVER, structure)
    fields = Fields(item.value, structure)
    if item.tag == _OK:
        return AuthenticateResponseOk(
            EuiccSigned1.decode(fields.required(SEQUENCE).raw),
            fields.octets(SIGNATURE),
            fields.required(SEQUENCE).raw,
            fields.required(SEQUENCE).raw,
        )
    if item.tag == _ERROR:
        return AuthenticateResponseError(fields.octets(0x80, 1, MAX_TRANSACTION_ID_OCTETS), fields.integer(INTEGER))
    raise unknown_alternative(item, structure)

"""PrepareDownload and CancelSession (SGP.22, 5.7.5, 5.7.14 and 3.1.3)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.fields import (
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    ONE_TIME_KEY,
    SEQUENCE,
    SIGNATURE,
    Fields,
    choice,
    encode_boolean,
    encode_integer,
    encode_oid,
    encode_optional,
    integer_of,
    unknown_alternative,
)

TAG_PREPARE_DOWNLOAD: Final = 0xBF21
TAG_CANCEL_SESSION: Final = 0xBF41
HASH_OCTETS: Final = 32
_MAX_TRANSACTION_ID_OCTETS: Final = 16
_OK: Final = 0xA0
_ERROR: Final = 0xA1
_CANCEL_ERROR: Final = 0x81


class DownloadError(IntEnum):
    """DownloadErrorCode: why a card refuses to prepare a download."""

    INVALID_CERTIFICATE = 1
    INVALID_SIGNATURE = 2
    UNSUPPORTED_CURVE = 3
    NO_SESSION_CONTEXT = 4
    INVALID_TRANSACTION_ID = 5
    UNDEFINED_ERROR = 127


class CancelReason(IntEnum):
    """CancelSessionReason: why an end user or a device cancels."""

    END_USER_REJECTION = 0
    POSTPONED = 1
    TIMEOUT = 2
    POLICY_RULES_NOT_ALLOWED = 3
    METADATA_MISMATCH = 4
    LOAD_BPP_EXECUTION_ERROR = 5
    UNDEFINED_REASON = 127


@dataclass(frozen=True, slots=True)
class SmdpSigned2:
    """The data that the SM-DP+ signs before the download; ``bpp_euicc_otpk`` names a one-time key to reuse."""

    raw: bytes
    transaction_id: bytes
    cc_required: bool
    bpp_euicc_otpk: bytes | None

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the SEQUENCE."""
        fields = Fields.of(octets, SEQUENCE, "SmdpSigned2")
        return cls(
            octets,
            fields.octets(0x80, 1, _MAX_TRANSACTION_ID_OCTETS),
            fields.boolean(BOOLEAN),
            fields.optional_octets(ONE_TIME_KEY),
        )

    @classmethod
    def build(cls, *, transaction_id: bytes, cc_required: bool, bpp_euicc_otpk: bytes | None = None) -> Self:
        """Encode the SEQUENCE."""
        return cls.decode(
            tlv.encode(
                SEQUENCE,
                tlv.encode(0x80, transaction_id),
                encode_boolean(BOOLEAN, cc_required),
                encode_optional(ONE_TIME_KEY, bpp_euicc_otpk),
            )
        )


@dataclass(frozen=True, slots=True)
class PrepareDownloadRequest:
    """ES10b.PrepareDownload: the server's second signature, and the LPA's hash of the confirmation code."""

    smdp_signed2: SmdpSigned2
    smdp_signature2: bytes
    hash_cc: bytes | None
    smdp_certificate: bytes

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF21."""
        fields = Fields.of(octets, TAG_PREPARE_DOWNLOAD, "PrepareDownloadRequest")
        return cls(
            SmdpSigned2.decode(fields.required(SEQUENCE).raw),
            fields.octets(SIGNATURE),
            fields.optional_octets(OCTET_STRING, HASH_OCTETS, HASH_OCTETS),
            fields.required(SEQUENCE).raw,
        )

    def encode(self) -> bytes:
        """Encode BF21."""
        return tlv.encode(
            TAG_PREPARE_DOWNLOAD,
            self.smdp_signed2.raw,
            tlv.encode(SIGNATURE, self.smdp_signature2),
            encode_optional(OCTET_STRING, self.hash_cc),
            self.smdp_certificate,
        )


@dataclass(frozen=True, slots=True)
class EuiccSigned2:
    """The data that the card signs: its one-time key, and the hash of the confirmation code if required."""

    raw: bytes
    transaction_id: bytes
    euicc_otpk: bytes
    hash_cc: bytes | None

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the SEQUENCE."""
        fields = Fields.of(octets, SEQUENCE, "EuiccSigned2")
        return cls(
            octets,
            fields.octets(0x80, 1, _MAX_TRANSACTION_ID_OCTETS),
            fields.octets(ONE_TIME_KEY),
            fields.optional_octets(OCTET_STRING, HASH_OCTETS, HASH_OCTETS),
        )

    @classmethod
    def build(cls, *, transaction_id: bytes, euicc_otpk: bytes, hash_cc: bytes | None) -> Self:
        """Encode the SEQUENCE."""
        return cls.decode(
            tlv.encode(
                SEQUENCE,
                tlv.encode(0x80, transaction_id),
                tlv.encode(ONE_TIME_KEY, euicc_otpk),
                encode_optional(OCTET_STRING, hash_cc),
            )
        )


@dataclass(frozen=True, slots=True)
class PrepareDownloadOk:
    """The card's successful answer; ``euicc_signed2_octets`` returns the octets that its signature covers."""

    euicc_signed2: EuiccSigned2
    euicc_signature2: bytes

    @property
    def transaction_id(self) -> bytes:
        """Return the signed transaction id."""
        return self.euicc_signed2.transaction_id

    def encode(self) -> bytes:
        """Encode BF21."""
        signature = tlv.encode(SIGNATURE, self.euicc_signature2)
        return tlv.encode(TAG_PREPARE_DOWNLOAD, tlv.encode(_OK, self.euicc_signed2.raw, signature))


@dataclass(frozen=True, slots=True)
class PrepareDownloadError:
    """The card's refusal."""

    transaction_id: bytes
    error_code: int

    def encode(self) -> bytes:
        """Encode BF21."""
        content = tlv.encode(0x80, self.transaction_id) + encode_integer(INTEGER, self.error_code)
        return tlv.encode(TAG_PREPARE_DOWNLOAD, tlv.encode(_ERROR, content))


def smdp_signed2_octets(smdp_signed2: SmdpSigned2, euicc_signature1: bytes) -> bytes:
    """Return the octets of smdpSignature2: the signed part and the object of the card's first signature (5.7.5)."""
    return smdp_signed2.raw + tlv.encode(SIGNATURE, euicc_signature1)


def euicc_signed2_octets(euicc_signed2: EuiccSigned2, smdp_signature2: bytes) -> bytes:
    """Return the octets of euiccSignature2: the signed part and the server's signature object (5F37)."""
    return euicc_signed2.raw + tlv.encode(SIGNATURE, smdp_signature2)


def decode_prepare_download_response(octets: bytes) -> PrepareDownloadOk | PrepareDownloadError:
    """Decode the card's answer to PrepareDownload: success or error."""
    structure = "PrepareDownloadResponse"
    item = choice(octets, TAG_PREPARE_DOWNLOAD, structure)
    fields = Fields(item.value, structure)
    if item.tag == _OK:
        return PrepareDownloadOk(
            EuiccSigned2.decode(fields.required(SEQUENCE).raw),
            fields.octets(SIGNATURE),
        )
    if item.tag == _ERROR:
        return PrepareDownloadError(fields.octets(0x80, 1, _MAX_TRANSACTION_ID_OCTETS), fields.integer(INTEGER))
    raise unknown_alternative(item, structure)


@dataclass(frozen=True, slots=True)
class CancelSessionRequest:
    """ES10b.CancelSession; the reason may be one that ``CancelReason`` does not list."""

    transaction_id: bytes
    reason: int

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF41."""
        fields = Fields.of(octets, TAG_CANCEL_SESSION, "CancelSessionRequest")
        return cls(fields.octets(0x80, 1, _MAX_TRANSACTION_ID_OCTETS), fields.integer(0x81))

    def encode(self) -> bytes:
        """Encode BF41."""
        reason = encode_integer(0x81, self.reason)
        return tlv.encode(TAG_CANCEL_SESSION, tlv.encode(0x80, self.transaction_id), reason)


@dataclass(frozen=True, slots=True)
class CancelSessionSigned:
    """The data that the card signs as proof of the cancellation for the server."""

    raw: bytes
    transaction_id: bytes
    smdp_oid: str
    reason: int

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the SEQUENCE."""
        fields = Fields.of(octets, SEQUENCE, "EuiccCancelSessionSigned")
        return cls(
            octets, fields.octets(0x80, 1, _MAX_TRANSACTION_ID_OCTETS), fields.oid(0x81), fields.integer(0x82)
        )

    @classmethod
    def build(cls, *, transaction_id: bytes, smdp_oid: str, reason: int) -> Self:
        """Encode the SEQUENCE."""
        content = tlv.encode(0x80, transaction_id) + encode_oid(0x81, smdp_oid) + encode_integer(0x82, reason)
        return cls.decode(tlv.encode(SEQUENCE, content))


@dataclass(frozen=True, slots=True)
class CancelSessionOk:
    """The card's signed cancellation."""

    signed: CancelSessionSigned
    signature: bytes

    def encode(self) -> bytes:
        """Encode BF41."""
        return tlv.encode(
            TAG_CANCEL_SESSION, tlv.encode(_OK, self.signed.raw, tlv.encode(SIGNATURE, self.signature))
        )


@dataclass(frozen=True, slots=True)
class CancelSessionError:
    """The card's refusal: unknown transaction (5), or another error (127)."""

    error_code: int

    def encode(self) -> bytes:
        """Encode BF41."""
        return tlv.encode(TAG_CANCEL_SESSION, encode_integer(_CANCEL_ERROR, self.error_code))


def decode_cancel_session_response(octets: bytes) -> CancelSessionOk | CancelSessionError:
    """Decode the card's answer to CancelSession: success or error."""
    structure = "CancelSessionResponse"
    item = choice(octets, TAG_CANCEL_SESSION, structure)
    if item.tag == _OK:
        fields = Fields(item.value, structure)
        signed = CancelSessionSigned.decode(fields.required(SEQUENCE).raw)
        return CancelSessionOk(signed, fields.octets(SIGNATURE))
    if item.tag == _CANCEL_ERROR:
        return CancelSessionError(integer_of(item, structure))
    raise unknown_alternative(item, structure)

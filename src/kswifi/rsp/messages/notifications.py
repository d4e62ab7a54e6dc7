"""Signed reports of a card: install results and other notifications (SGP.22, 2.5.6, 5.7.9 to 5.7.11)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.fields import (
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SIGNATURE,
    UTF8_STRING,
    Fields,
    choice,
    encode_bits,
    encode_integer,
    encode_oid,
    encode_optional,
    encode_text,
    unknown_alternative,
)
from kswifi.rsp.messages.metadata import ICCID_OCTETS, NotificationEvent

TAG_NOTIFICATION_METADATA: Final = 0xBF2F
TAG_INSTALL_RESULT: Final = 0xBF37
TAG_INSTALL_RESULT_DATA: Final = 0xBF27
_SUCCESS: Final = 0xA0
_FAILURE: Final = 0xA1


class BppCommand(IntEnum):
    """BppCommandId: the command of the bound profile package that was processed last."""

    INITIALISE_SECURE_CHANNEL = 0
    CONFIGURE_ISDP = 1
    STORE_METADATA = 2
    STORE_METADATA2 = 3
    REPLACE_SESSION_KEYS = 4
    LOAD_PROFILE_ELEMENTS = 5


class InstallError(IntEnum):
    """ErrorReason: why a profile was not installed."""

    INCORRECT_INPUT_VALUES = 1
    INVALID_SIGNATURE = 2
    INVALID_TRANSACTION_ID = 3
    UNSUPPORTED_CRT_VALUES = 4
    UNSUPPORTED_REMOTE_OPERATION_TYPE = 5
    UNSUPPORTED_PROFILE_CLASS = 6
    SCP03T_STRUCTURE_ERROR = 7
    SCP03T_SECURITY_ERROR = 8
    ICCID_ALREADY_EXISTS = 9
    INSUFFICIENT_MEMORY = 10
    INTERRUPTION = 11
    PROFILE_ELEMENT_PROCESSING_ERROR = 12
    ICCID_MISMATCH = 13
    TEST_PROFILE_INVALID_NAA_KEY = 14
    POLICY_RULES_NOT_ALLOWED = 15
    UNKNOWN_ERROR = 127


@dataclass(frozen=True, slots=True)
class NotificationMetadata:
    """A notification's sequence number, its one event, its recipient address and its profile."""

    raw: bytes
    sequence_number: int
    event: NotificationEvent
    address: str
    iccid: bytes | None

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF2F."""
        fields = Fields.of(octets, TAG_NOTIFICATION_METADATA, "NotificationMetadata")
        number, events = fields.integer(0x80), fields.bits(0x81)
        if len(events) != 1 or not events <= set(NotificationEvent) or number < 0:
            raise RspDecodeError("a notification has a number and exactly one event", events=len(events))
        return cls(
            octets,
            number,
            NotificationEvent(min(events)),
            fields.text(UTF8_STRING),
            fields.optional_octets(0x5A, ICCID_OCTETS, ICCID_OCTETS),
        )

    @classmethod
    def build(cls, *, sequence_number: int, event: NotificationEvent, address: str, iccid: bytes | None) -> Self:
        """Encode BF2F."""
        return cls.decode(
            tlv.encode(
                TAG_NOTIFICATION_METADATA,
                encode_integer(0x80, sequence_number),
                encode_bits(0x81, [event]),
                encode_text(UTF8_STRING, address),
                encode_optional(0x5A, iccid),
            )
        )


@dataclass(frozen=True, slots=True)
class InstallSuccess:
    """The profile is installed: the AID of its ISD-P and the EUICCResponse of the profile elements."""

    aid: bytes
    sima_response: bytes


@dataclass(frozen=True, slots=True)
class InstallFailure:
    """The profile is not installed: the command that failed and the reason."""

    command: int
    reason: int
    sima_response: bytes | None = None


@dataclass(frozen=True, slots=True)
class InstallResultData:
    """ProfileInstallationResultData: what the card signs at the end of a download."""

    raw: bytes
    transaction_id: bytes
    notification: NotificationMetadata
    smdp_oid: str | None
    final_result: InstallSuccess | InstallFailure

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF27."""
        structure = "ProfileInstallationResultData"
        fields = Fields.of(octets, TAG_INSTALL_RESULT_DATA, structure)
        return cls(
            octets,
            fields.octets(0x80, 1, 16),
            NotificationMetadata.decode(fields.required(TAG_NOTIFICATION_METADATA).raw),
            fields.optional_oid(OBJECT_IDENTIFIER),
            _decode_final_result(fields.required(0xA2).raw, structure),
        )

    @classmethod
    def build(
        cls,
        *,
        transaction_id: bytes,
        notification: NotificationMetadata,
        smdp_oid: str | None,
        final_result: InstallSuccess | InstallFailure,
    ) -> Self:
        """Encode BF27."""
        return cls.decode(
            tlv.encode(
                TAG_INSTALL_RESULT_DATA,
                tlv.encode(0x80, transaction_id),
                notification.raw,
                b"" if smdp_oid is None else encode_oid(OBJECT_IDENTIFIER, smdp_oid),
                tlv.encode(0xA2, _encode_final_result(final_result)),
            )
        )


@dataclass(frozen=True, slots=True)
class InstallResult:
    """ProfileInstallationResult: the data and the card's signature over them, tag and length included."""

    data: InstallResultData
    signature: bytes

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF37."""
        fields = Fields.of(octets, TAG_INSTALL_RESULT, "ProfileInstallationResult")
        return cls(
            InstallResultData.decode(fields.required(TAG_INSTALL_RESULT_DATA).raw),
            fields.octets(SIGNATURE),
        )

    def encode(self) -> bytes:
        """Encode BF37."""
        return tlv.encode(TAG_INSTALL_RESULT, self.data.raw, tlv.encode(SIGNATURE, self.signature))


@dataclass(frozen=True, slots=True)
class OtherSignedNotification:
    """A signed notification of enabling, disabling or deletion, with the certificates to verify it."""

    notification: NotificationMetadata
    signature: bytes
    euicc_certificate: bytes
    eum_certificate: bytes

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the SEQUENCE."""
        fields = Fields.of(octets, SEQUENCE, "OtherSignedNotification")
        return cls(
            NotificationMetadata.decode(fields.required(TAG_NOTIFICATION_METADATA).raw),
            fields.octets(SIGNATURE),
            fields.required(SEQUENCE).raw,
            fields.required(SEQUENCE).raw,
        )

    def encode(self) -> bytes:
        """Encode the SEQUENCE."""
        signature = tlv.encode(SIGNATURE, self.signature)
        return tlv.encode(SEQUENCE, self.notification.raw, signature, self.euicc_certificate, self.eum_certificate)


PendingNotification = InstallResult | OtherSignedNotification


def decode_pending_notification(octets: bytes) -> PendingNotification:
    """Decode a PendingNotification of either kind, as sent in ES9+.HandleNotification."""
    if octets[:2] == tlv.encode_tag(TAG_INSTALL_RESULT):
        return InstallResult.decode(octets)
    return OtherSignedNotification.decode(octets)


def encode_notification_list(tag: int, notifications: Iterable[bytes]) -> bytes:
    """Encode the answer to BF28 (metadata) or BF2B (whole notifications) from encoded entries."""
    return tlv.encode(tag, tlv.encode(0xA0, *notifications))


def _decode_final_result(octets: bytes, structure: str) -> InstallSuccess | InstallFailure:
    item = choice(octets, 0xA2, structure)
    fields = Fields(item.value, structure)
    if item.tag == _SUCCESS:
        return InstallSuccess(fields.octets(0x4F, 5, 16), fields.octets(OCTET_STRING))
    if item.tag == _FAILURE:
        return InstallFailure(fields.integer(0x80), fields.integer(0x81), fields.optional_octets(0x82))
    raise unknown_alternative(item, structure)


def _encode_final_result(result: InstallSuccess | InstallFailure) -> bytes:
    if isinstance(result, InstallSuccess):
        return tlv.encode(_SUCCESS, tlv.encode(0x4F, result.aid), tlv.encode(OCTET_STRING, result.sima_response))
    return tlv.encode(
        _FAILURE,
        encode_integer(0x80, result.command),
        encode_integer(0x81, result.reason),
        encode_optional(0x82, result.sima_response),
    )

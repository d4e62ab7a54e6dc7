"""The capabilities that an eUICC reports: EUICCInfo1 and EUICCInfo2 (SGP.22, 5.7.8)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.fields import OCTET_STRING, UTF8_STRING, Fields, Version, encode_bits, encode_integer, encode_text

TAG_EUICC_INFO1: Final = 0xBF20
TAG_EUICC_INFO2: Final = 0xBF22
_MAX_CI_KEYS: Final = 32
_BASIC_EUICC: Final = 1


class UiccCapability(IntEnum):
    """The bits of UICCCapability that our profiles and our card use."""

    USIM = 1
    ISIM = 2
    CSIM = 3
    MILENAGE = 4
    TUAK_128 = 6
    USIM_TEST_ALGORITHM = 8
    JAVACARD = 14
    BER_TLV_FILES = 19
    GET_IDENTITY = 22
    PROFILE_A_X25519 = 23
    PROFILE_B_P256 = 24


class RspCapability(IntEnum):
    """The bits of RspCapability (v2.5; older cards set only the first ones)."""

    ADDITIONAL_PROFILE = 0
    CRL = 1
    REMOTE_PROFILE_MANAGEMENT = 2
    TEST_PROFILE = 3
    DEVICE_INFO_EXTENSIBILITY = 4
    SERVICE_SPECIFIC_DATA = 5


@dataclass(frozen=True, slots=True)
class EuiccInfo1:
    """The part for every server: the card's version and the CI keys (subject key identifiers) that it has."""

    raw: bytes
    svn: Version
    ci_keys_for_verification: tuple[bytes, ...]
    ci_keys_for_signing: tuple[bytes, ...]

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF20."""
        fields = Fields.of(octets, TAG_EUICC_INFO1, "EUICCInfo1")
        return cls(octets, fields.version(0x82), _ci_keys(fields, 0xA9), _ci_keys(fields, 0xAA))

    @classmethod
    def build(cls, svn: Version, for_verification: Iterable[bytes], for_signing: Iterable[bytes]) -> Self:
        """Encode BF20."""
        return cls.decode(
            tlv.encode(
                TAG_EUICC_INFO1,
                tlv.encode(0x82, bytes(svn)),
                _encode_ci_keys(0xA9, for_verification),
                _encode_ci_keys(0xAA, for_signing),
            )
        )


@dataclass(frozen=True, slots=True)
class ExtCardResource:
    """The numbers of installed applications and of free octets (ETSI TS 102 226, 8.2.1.7.2)."""

    installed_applications: int
    free_non_volatile_octets: int
    free_volatile_octets: int

    @classmethod
    def read(cls, value: bytes) -> Self | None:
        """Decode the three counts; None if the value has another form.

        SGP.22 types the field OCTET STRING, so its content never makes EUICCInfo2 malformed.
        """
        try:
            fields = Fields(value, "extCardResource")
            counts = [int.from_bytes(fields.octets(tag, 1, 8), "big") for tag in (0x81, 0x82, 0x83)]
        except RspDecodeError:
            return None
        return cls(*counts)

    def encode(self) -> bytes:
        """Encode the value of the field, without its tag."""
        counts = (self.installed_applications, self.free_non_volatile_octets, self.free_volatile_octets)
        return b"".join(
            tlv.encode(tag, count.to_bytes(max(1, (count.bit_length() + 7) // 8), "big"))
            for tag, count in zip((0x81, 0x82, 0x83), counts, strict=True)
        )


@dataclass(frozen=True, slots=True)
class EuiccInfo2:
    """The part for an authenticated server; EuiccSigned1 contains it, so it is signed."""

    raw: bytes
    profile_version: Version
    svn: Version
    firmware_version: Version
    ext_card_resource: ExtCardResource | None
    """None if the card does not report its memory in the form of TS 102 226: its free memory is unknown."""
    uicc_capability: frozenset[int]
    rsp_capability: frozenset[int]
    ci_keys_for_verification: tuple[bytes, ...]
    ci_keys_for_signing: tuple[bytes, ...]
    javacard_version: Version | None
    globalplatform_version: Version | None
    category: int | None
    forbidden_policy_rules: frozenset[int] | None
    protection_profile_version: Version
    sas_accreditation_number: str

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF22; fields of later versions are kept only in ``raw``."""
        fields = Fields.of(octets, TAG_EUICC_INFO2, "EUICCInfo2")
        return cls(
            raw=octets,
            profile_version=fields.version(0x81),
            svn=fields.version(0x82),
            firmware_version=fields.version(0x83),
            ext_card_resource=ExtCardResource.read(fields.octets(0x84)),
            uicc_capability=fields.bits(0x85),
            javacard_version=fields.optional_version(0x86),
            globalplatform_version=fields.optional_version(0x87),
            rsp_capability=fields.bits(0x88),
            ci_keys_for_verification=_ci_keys(fields, 0xA9),
            ci_keys_for_signing=_ci_keys(fields, 0xAA),
            category=fields.optional_integer(0x8B),
            forbidden_policy_rules=fields.optional_bits(0x99),
            protection_profile_version=fields.version(OCTET_STRING),
            sas_accreditation_number=fields.text(UTF8_STRING),
        )

    @classmethod
    def build(
        cls,
        *,
        svn: Version,
        profile_version: Version,
        firmware_version: Version,
        resource: ExtCardResource,
        uicc_capability: Iterable[int],
        rsp_capability: Iterable[int],
        ci_keys: Iterable[bytes],
        sas_accreditation_number: str,
    ) -> Self:
        """Encode BF22 for a card that verifies and signs with the same CI keys and forbids no policy rule."""
        keys = tuple(ci_keys)
        return cls.decode(
            tlv.encode(
                TAG_EUICC_INFO2,
                tlv.encode(0x81, bytes(profile_version)),
                tlv.encode(0x82, bytes(svn)),
                tlv.encode(0x83, bytes(firmware_version)),
                tlv.encode(0x84, resource.encode()),
                encode_bits(0x85, uicc_capability),
                encode_bits(0x88, rsp_capability),
                _encode_ci_keys(0xA9, keys),
                _encode_ci_keys(0xAA, keys),
                encode_integer(0x8B, _BASIC_EUICC),
                tlv.encode(OCTET_STRING, bytes((0, 0, 1))),
                encode_text(UTF8_STRING, sas_accreditation_number),
            )
        )


def _ci_keys(fields: Fields, tag: int) -> tuple[bytes, ...]:
    keys = tuple(item.value for item in fields.inside(tag).every(OCTET_STRING))
    if len(keys) > _MAX_CI_KEYS or not all(1 <= len(key) <= 64 for key in keys):
        raise RspDecodeError("a list of CI keys is out of bounds", tag=f"{tag:X}", keys=len(keys))
    return keys


def _encode_ci_keys(tag: int, keys: Iterable[bytes]) -> bytes:
    return tlv.encode(tag, *(tlv.encode(OCTET_STRING, key) for key in keys))

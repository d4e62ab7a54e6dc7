"""Profile metadata: set by StoreMetadata, readable on the card even if the profile is disabled (SGP.22, 5.5.3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.fields import (
    SEQUENCE,
    Fields,
    encode_bits,
    encode_integer,
    encode_oid,
    encode_optional,
    encode_text,
)

TAG_STORE_METADATA: Final = 0xBF25
ICCID_OCTETS: Final = 10
MAX_PROVIDER_NAME_OCTETS: Final = 32
MAX_PROFILE_NAME_OCTETS: Final = 64
MAX_ICON_OCTETS: Final = 1024
TAG_SERVICE_SPECIFIC_DATA: Final = 0xBF22


class ProfileClass(IntEnum):
    """The class of a profile; operational if absent."""

    TEST = 0
    PROVISIONING = 1
    OPERATIONAL = 2


class IconType(IntEnum):
    """The format of an icon of 64 x 64 pixels."""

    JPEG = 0
    PNG = 1


class NotificationEvent(IntEnum):
    """The bits of NotificationEvent: profile management operations that are reported to a server."""

    INSTALL = 0
    ENABLE = 1
    DISABLE = 2
    DELETE = 3


class PolicyRule(IntEnum):
    """The bits of PprIds (SGP.22, 2.9.1)."""

    UPDATE_CONTROL = 0
    DISABLING_NOT_ALLOWED = 1
    DELETION_NOT_ALLOWED = 2


@dataclass(frozen=True, slots=True)
class NotificationConfiguration:
    """The events that are reported to one address."""

    events: frozenset[int]
    address: str

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the content of one NotificationConfigurationInformation."""
        fields = Fields(value, "NotificationConfigurationInformation")
        return cls(fields.bits(0x80), fields.text(0x81))

    def encode(self) -> bytes:
        """Encode the SEQUENCE."""
        return tlv.encode(SEQUENCE, encode_bits(0x80, self.events), encode_text(0x81, self.address))


@dataclass(frozen=True, slots=True)
class ProfileOwner:
    """The operator: MCC and MNC packed as in TS 24.008, and its group identifiers if it has any."""

    mcc_mnc: bytes
    gid1: bytes | None = None
    gid2: bytes | None = None

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the content of an OperatorID."""
        fields = Fields(value, "OperatorID")
        return cls(fields.octets(0x80, 3, 3), fields.optional_octets(0x81), fields.optional_octets(0x82))

    def encode(self, tag: int) -> bytes:
        """Encode the OperatorID with the tag of its context."""
        return tlv.encode(
            tag,
            tlv.encode(0x80, self.mcc_mnc),
            encode_optional(0x81, self.gid1),
            encode_optional(0x82, self.gid2),
        )


@dataclass(frozen=True, slots=True)
class ServiceSpecificData:
    """One entry of serviceSpecificDataStoredInEuicc (v2.5): octets under the object identifier of a vendor."""

    vendor_oid: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ProfileMetadata:
    """StoreMetadataRequest; ``iccid`` is the ten octets of EF.ICCID.

    ``service_specific_data`` must be sent only to a card whose RspCapability has SERVICE_SPECIFIC_DATA set:
    older cards refuse unknown fields.
    """

    iccid: bytes
    service_provider_name: str
    profile_name: str
    icon_type: int | None = None
    icon: bytes | None = None
    profile_class: int | None = None
    notifications: tuple[NotificationConfiguration, ...] = ()
    owner: ProfileOwner | None = None
    policy_rules: frozenset[int] | None = None
    service_specific_data: tuple[ServiceSpecificData, ...] = ()

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF25."""
        fields = Fields.of(octets, TAG_STORE_METADATA, "StoreMetadataRequest")
        owner = fields.optional(0xB7)
        return cls(
            iccid=fields.octets(0x5A, ICCID_OCTETS, ICCID_OCTETS),
            service_provider_name=_text_up_to(fields.text(0x91), MAX_PROVIDER_NAME_OCTETS),
            profile_name=_text_up_to(fields.text(0x92), MAX_PROFILE_NAME_OCTETS),
            icon_type=fields.optional_integer(0x93),
            icon=fields.optional_octets(0x94, 0, MAX_ICON_OCTETS),
            profile_class=fields.optional_integer(0x95),
            notifications=decode_notifications(fields),
            owner=None if owner is None else ProfileOwner.decode(owner.value),
            policy_rules=fields.optional_bits(0x99),
            service_specific_data=decode_service_specific_data(fields),
        )

    def encode(self) -> bytes:
        """Encode BF25.

        Raises:
            RspDecodeError: a name or the icon is longer than cards must support.
        """
        return tlv.encode(
            TAG_STORE_METADATA,
            tlv.encode(0x5A, self.iccid),
            encode_text(0x91, _text_up_to(self.service_provider_name, MAX_PROVIDER_NAME_OCTETS)),
            encode_text(0x92, _text_up_to(self.profile_name, MAX_PROFILE_NAME_OCTETS)),
            b"" if self.icon_type is None else encode_integer(0x93, self.icon_type),
            encode_optional(0x94, _icon_up_to_limit(self.icon)),
            b"" if self.profile_class is None else encode_integer(0x95, self.profile_class),
            encode_notifications(self.notifications),
            b"" if self.owner is None else self.owner.encode(0xB7),
            b"" if self.policy_rules is None else encode_bits(0x99, self.policy_rules),
            encode_service_specific_data(self.service_specific_data),
        )


def decode_notifications(fields: Fields) -> tuple[NotificationConfiguration, ...]:
    """Decode B6, the list of notification configurations; empty if absent."""
    entries = fields.optional_inside(0xB6)
    if entries is None:
        return ()
    return tuple(NotificationConfiguration.decode(item.value) for item in entries.every(SEQUENCE))


def encode_notifications(notifications: Iterable[NotificationConfiguration]) -> bytes:
    """Encode B6, or nothing for an empty list."""
    entries = b"".join(each.encode() for each in notifications)
    return tlv.encode(0xB6, entries) if entries else b""


def decode_service_specific_data(fields: Fields) -> tuple[ServiceSpecificData, ...]:
    """Decode BF22 in metadata or a ProfileInfo; empty if absent."""
    entries = fields.optional_inside(TAG_SERVICE_SPECIFIC_DATA)
    if entries is None:
        return ()
    opened = (Fields(item.value, "VendorSpecificExtension") for item in entries.every(SEQUENCE))
    return tuple(ServiceSpecificData(each.oid(0x80), each.octets(0x81)) for each in opened)


def encode_service_specific_data(entries: Iterable[ServiceSpecificData]) -> bytes:
    """Encode BF22, or nothing for an empty list."""
    content = b"".join(
        tlv.encode(SEQUENCE, encode_oid(0x80, each.vendor_oid), tlv.encode(0x81, each.data)) for each in entries
    )
    return tlv.encode(TAG_SERVICE_SPECIFIC_DATA, content) if content else b""


def _text_up_to(text: str, limit: int) -> str:
    length = len(text.encode())
    if length > limit:
        raise RspDecodeError(f"a name has at most {limit} octets, not {length}", octets=length)
    return text


def _icon_up_to_limit(icon: bytes | None) -> bytes | None:
    if icon is not None and len(icon) > MAX_ICON_OCTETS:
        raise RspDecodeError(f"an icon has at most {MAX_ICON_OCTETS} octets", octets=len(icon))
    return icon

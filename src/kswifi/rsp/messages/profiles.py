"""The local functions of ES10b and ES10c: profiles, stored notifications, addresses (SGP.22, 5.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.fields import (
    Fields,
    choice,
    encode_bits,
    encode_boolean,
    encode_integer,
    encode_optional,
    encode_text,
    integer_of,
    unknown_alternative,
)
from kswifi.rsp.messages.metadata import (
    ICCID_OCTETS,
    NotificationConfiguration,
    ProfileOwner,
    ServiceSpecificData,
    decode_notifications,
    decode_service_specific_data,
    encode_notifications,
    encode_service_specific_data,
)

TAG_LIST_NOTIFICATIONS: Final = 0xBF28
TAG_SET_NICKNAME: Final = 0xBF29
TAG_RETRIEVE_NOTIFICATIONS: Final = 0xBF2B
TAG_PROFILE_LIST: Final = 0xBF2D
TAG_NOTIFICATION_SENT: Final = 0xBF30
TAG_ENABLE_PROFILE: Final = 0xBF31
TAG_DISABLE_PROFILE: Final = 0xBF32
TAG_DELETE_PROFILE: Final = 0xBF33
TAG_MEMORY_RESET: Final = 0xBF34
TAG_CONFIGURED_ADDRESSES: Final = 0xBF3C
TAG_GET_EUICC_DATA: Final = 0xBF3E
TAG_SET_DEFAULT_DP: Final = 0xBF3F
TAG_PROFILE_INFO: Final = 0xE3
TAG_TAG_LIST: Final = 0x5C
TAG_AID: Final = 0x4F
TAG_ICCID: Final = 0x5A
TAG_PROFILE_CLASS: Final = 0x95
_RESULT: Final = 0x80


class ProfileState(IntEnum):
    """The state of a profile on a card."""

    DISABLED = 0
    ENABLED = 1


@dataclass(frozen=True, slots=True)
class ProfileId:
    """How ES10c names a profile: by the AID of its ISD-P or by the ten octets of its ICCID."""

    tag: int
    value: bytes

    @classmethod
    def of_iccid(cls, iccid: bytes) -> Self:
        """Return the name of a profile by its ICCID."""
        return cls(TAG_ICCID, iccid)

    @classmethod
    def read(cls, item: tlv.Tlv, structure: str) -> Self:
        """Decode the alternative in a request."""
        if item.tag == TAG_ICCID:
            return cls(item.tag, Fields(item.raw, structure).octets(item.tag, ICCID_OCTETS, ICCID_OCTETS))
        if item.tag == TAG_AID:
            return cls(item.tag, Fields(item.raw, structure).octets(item.tag, 1, 16))
        raise unknown_alternative(item, structure)

    def encode(self) -> bytes:
        """Encode the alternative."""
        return tlv.encode(self.tag, self.value)


@dataclass(frozen=True, slots=True)
class ProfileInfo:
    """One entry of a profile list; a field that was not requested, or is absent, is None."""

    iccid: bytes | None = None
    aid: bytes | None = None
    state: int | None = None
    nickname: str | None = None
    service_provider_name: str | None = None
    profile_name: str | None = None
    icon_type: int | None = None
    icon: bytes | None = None
    profile_class: int | None = None
    notifications: tuple[NotificationConfiguration, ...] = ()
    owner: ProfileOwner | None = None
    policy_rules: frozenset[int] | None = None
    service_specific_data: tuple[ServiceSpecificData, ...] = ()

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode E3."""
        fields = Fields.of(octets, TAG_PROFILE_INFO, "ProfileInfo")
        owner = fields.optional(0xB7)
        return cls(
            iccid=fields.optional_octets(TAG_ICCID, ICCID_OCTETS, ICCID_OCTETS),
            aid=fields.optional_octets(TAG_AID, 1, 16),
            state=fields.optional_integer(0x9F70),
            nickname=fields.optional_text(0x90),
            service_provider_name=fields.optional_text(0x91),
            profile_name=fields.optional_text(0x92),
            icon_type=fields.optional_integer(0x93),
            icon=fields.optional_octets(0x94),
            profile_class=fields.optional_integer(TAG_PROFILE_CLASS),
            notifications=decode_notifications(fields),
            owner=None if owner is None else ProfileOwner.decode(owner.value),
            policy_rules=fields.optional_bits(0x99),
            service_specific_data=decode_service_specific_data(fields),
        )

    def encode(self) -> bytes:
        """Encode E3."""
        integers = ((0x9F70, self.state), (0x93, self.icon_type), (TAG_PROFILE_CLASS, self.profile_class))
        numbers = {tag: b"" if value is None else encode_integer(tag, value) for tag, value in integers}
        texts = ((0x90, self.nickname), (0x91, self.service_provider_name), (0x92, self.profile_name))
        return tlv.encode(
            TAG_PROFILE_INFO,
            encode_optional(TAG_ICCID, self.iccid),
            encode_optional(TAG_AID, self.aid),
            numbers[0x9F70],
            *(encode_text(tag, text) for tag, text in texts if text is not None),
            numbers[0x93],
            encode_optional(0x94, self.icon),
            numbers[TAG_PROFILE_CLASS],
            encode_notifications(self.notifications),
            b"" if self.owner is None else self.owner.encode(0xB7),
            b"" if self.policy_rules is None else encode_bits(0x99, self.policy_rules),
            encode_service_specific_data(self.service_specific_data),
        )


@dataclass(frozen=True, slots=True)
class ProfileListRequest:
    """GetProfilesInfo: all profiles, one, or those of a class; and the requested tags (None: the default ones)."""

    profile: ProfileId | None = None
    profile_class: int | None = None
    tags: tuple[int, ...] | None = None

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF2D."""
        structure = "ProfileInfoListRequest"
        fields = Fields.of(octets, TAG_PROFILE_LIST, structure)
        criteria, tags = fields.optional(0xA0), fields.optional_octets(TAG_TAG_LIST, 0, 64)
        wanted = None if tags is None else tuple(_tags_in(tags))
        if criteria is None:
            return cls(tags=wanted)
        item = choice(criteria.raw, 0xA0, structure)
        if item.tag == TAG_PROFILE_CLASS:
            return cls(profile_class=integer_of(item, structure), tags=wanted)
        return cls(profile=ProfileId.read(item, structure), tags=wanted)

    def encode(self) -> bytes:
        """Encode BF2D."""
        criteria = b""
        if self.profile is not None:
            criteria = tlv.encode(0xA0, self.profile.encode())
        elif self.profile_class is not None:
            criteria = tlv.encode(0xA0, encode_integer(TAG_PROFILE_CLASS, self.profile_class))
        tags = None if self.tags is None else b"".join(tlv.encode_tag(tag) for tag in self.tags)
        return tlv.encode(TAG_PROFILE_LIST, criteria, encode_optional(TAG_TAG_LIST, tags))


@dataclass(frozen=True, slots=True)
class ProfileSwitchRequest:
    """EnableProfile (BF31) or DisableProfile (BF32), and whether the card shall request a refresh."""

    profile: ProfileId
    refresh: bool

    @classmethod
    def decode(cls, octets: bytes, tag: int) -> Self:
        """Decode BF31 or BF32."""
        structure = "EnableProfileRequest" if tag == TAG_ENABLE_PROFILE else "DisableProfileRequest"
        fields = Fields.of(octets, tag, structure)
        item = choice(fields.required(0xA0).raw, 0xA0, structure)
        return cls(ProfileId.read(item, structure), fields.boolean(0x81))

    def encode(self, tag: int) -> bytes:
        """Encode BF31 or BF32."""
        return tlv.encode(tag, tlv.encode(0xA0, self.profile.encode()), encode_boolean(0x81, self.refresh))


def decode_profile_list(octets: bytes) -> tuple[ProfileInfo, ...] | int:
    """Decode the answer to BF2D: the profiles, or a ProfileInfoListError."""
    structure = "ProfileInfoListResponse"
    item = choice(octets, TAG_PROFILE_LIST, structure)
    if item.tag == 0xA0:
        return tuple(
            ProfileInfo.decode(entry.raw) for entry in Fields(item.value, structure).every(TAG_PROFILE_INFO)
        )
    if item.tag == 0x81:
        return integer_of(item, structure)
    raise unknown_alternative(item, structure)


def encode_profile_list(profiles: Iterable[ProfileInfo]) -> bytes:
    """Encode the answer to BF2D."""
    return tlv.encode(TAG_PROFILE_LIST, tlv.encode(0xA0, *(profile.encode() for profile in profiles)))


def decode_delete_request(octets: bytes) -> ProfileId:
    """Decode BF33: the profile's name is not wrapped in a further tag."""
    return ProfileId.read(choice(octets, TAG_DELETE_PROFILE, "DeleteProfileRequest"), "DeleteProfileRequest")


def decode_nickname_request(octets: bytes) -> tuple[bytes, str]:
    """Decode BF29: the ICCID's octets and the nickname; an empty nickname removes it."""
    fields = Fields.of(octets, TAG_SET_NICKNAME, "SetNicknameRequest")
    return fields.octets(TAG_ICCID, ICCID_OCTETS, ICCID_OCTETS), fields.text(0x90)


def encode_nickname_request(iccid: bytes, nickname: str) -> bytes:
    """Encode BF29."""
    return tlv.encode(TAG_SET_NICKNAME, tlv.encode(TAG_ICCID, iccid), encode_text(0x90, nickname))


def decode_result(octets: bytes, tag: int) -> int:
    """Decode an answer with a single result code, 0 for success (BF29, BF30 to BF34, BF3F)."""
    return Fields.of(octets, tag, f"{tag:X} response").integer(_RESULT)


def encode_result(tag: int, code: int) -> bytes:
    """Encode an answer with a single result code."""
    return tlv.encode(tag, encode_integer(_RESULT, code))


@dataclass(frozen=True, slots=True)
class NotificationQuery:
    """Selects notifications: one by its number, those of some events, or (if neither is set) all."""

    sequence_number: int | None = None
    events: frozenset[int] | None = None

    @classmethod
    def decode_retrieve(cls, octets: bytes) -> Self:
        """Decode BF2B, RetrieveNotificationsListRequest."""
        structure = "RetrieveNotificationsListRequest"
        criteria = Fields.of(octets, TAG_RETRIEVE_NOTIFICATIONS, structure).optional_inside(0xA0)
        if criteria is None:
            return cls()
        return cls(criteria.optional_integer(0x80), criteria.optional_bits(0x81))

    @classmethod
    def decode_list(cls, octets: bytes) -> Self:
        """Decode BF28, ListNotificationRequest."""
        fields = Fields.of(octets, TAG_LIST_NOTIFICATIONS, "ListNotificationRequest")
        return cls(events=fields.optional_bits(0x81))


def decode_configured_addresses(octets: bytes) -> tuple[str | None, str]:
    """Decode the answer to BF3C: the default SM-DP+ address, if any, and the root SM-DS address."""
    fields = Fields.of(octets, TAG_CONFIGURED_ADDRESSES, "EuiccConfiguredAddressesResponse")
    return fields.optional_text(0x80), fields.text(0x81)


def encode_configured_addresses(default_dp: str | None, root_ds: str) -> bytes:
    """Encode the answer to BF3C."""
    default = b"" if default_dp is None else encode_text(0x80, default_dp)
    return tlv.encode(TAG_CONFIGURED_ADDRESSES, default, encode_text(0x81, root_ds))


def decode_eid(octets: bytes) -> bytes:
    """Decode the answer to BF3E{5C:5A}: the sixteen octets of the EID."""
    return Fields.of(octets, TAG_GET_EUICC_DATA, "GetEuiccDataResponse").octets(TAG_ICCID, 16, 16)


def encode_eid(eid: bytes) -> bytes:
    """Encode the answer to BF3E{5C:5A}."""
    return tlv.encode(TAG_GET_EUICC_DATA, tlv.encode(TAG_ICCID, eid))


def _tags_in(tag_list: bytes) -> Iterable[int]:
    """Yield the tags of a tag list, of one or two octets each."""
    offset = 0
    while offset < len(tag_list):
        size = 2 if tag_list[offset] & 0x1F == 0x1F else 1
        yield int.from_bytes(tag_list[offset : offset + size], "big")
        offset += size

"""ES10a and ES10c: the end user's management of the card's profiles (SGP.22, 5.7.3, 5.7.4, 5.7.15 to 5.7.21)."""

from typing import Any, Final

from kswifi.euicc.apdu import Status, StatusError
from kswifi.euicc.channel import CardSession
from kswifi.euicc.es10.notifications import note
from kswifi.euicc.profiles import policy
from kswifi.euicc.state import Profile
from kswifi.rsp import tlv
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.fields import Fields, encode_integer
from kswifi.rsp.messages import profiles as messages
from kswifi.rsp.messages.metadata import NotificationEvent, PolicyRule, ProfileClass
from kswifi.rsp.messages.profiles import ProfileId, ProfileInfo, ProfileListRequest, ProfileSwitchRequest

ROOT_SMDS_ADDRESS: Final = (
    "smds.example.com"  # RFC 2606: the card does not support discovery, so no real server is named
)
ADDRESS_MAX_OCTETS: Final = 255
NICKNAME_MAX_OCTETS: Final = 64

_OK: Final = 0
_NOT_FOUND: Final = 1
_WRONG_STATE: Final = 2  # the profile is not in the state (disabled, enabled) that the function requires
_DISALLOWED_BY_POLICY: Final = 3
_NOTHING_TO_DELETE: Final = 1
_UNDEFINED: Final = 127
_INCORRECT_INPUT: Final = 1

_DELETE_OPERATIONAL: Final = 0
_RESET_DEFAULT_SMDP: Final = 2

_TAG_NAMES: Final = {
    0x5A: "iccid", 0x4F: "aid", 0x9F70: "state", 0x90: "nickname", 0x91: "service_provider_name",
    0x92: "profile_name", 0x93: "icon_type", 0x94: "icon", 0x95: "profile_class", 0xB6: "notifications",
    0xB7: "owner", 0x99: "policy_rules", 0xBF22: "service_specific_data",
}  # fmt: skip
_DEFAULT_TAGS: Final = (0x5A, 0x4F, 0x9F70, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95)


def get_configured_addresses(session: CardSession, _request: bytes) -> bytes:
    """Answer EuiccConfiguredAddresses (5.7.3)."""
    return messages.encode_configured_addresses(session.state.default_smdp_address or None, ROOT_SMDS_ADDRESS)


def set_default_smdp(session: CardSession, request: bytes) -> bytes:
    """Answer SetDefaultDpAddress (5.7.4); an empty address removes the stored one."""
    address = Fields.of(request, messages.TAG_SET_DEFAULT_DP, "SetDefaultDpAddressRequest").text(0x80)
    if len(address.encode()) > ADDRESS_MAX_OCTETS:
        return messages.encode_result(messages.TAG_SET_DEFAULT_DP, _UNDEFINED)
    session.state.default_smdp_address = address
    session.commit()
    return messages.encode_result(messages.TAG_SET_DEFAULT_DP, _OK)


def get_rat(_session: CardSession, _request: bytes) -> bytes:
    """Answer GetRAT (5.7.22)."""
    return policy.rules_authorisation_table()


def get_eid(session: CardSession, request: bytes) -> bytes:
    """Answer GetEID (5.7.20). No other data object can be requested."""
    wanted = Fields.of(request, messages.TAG_GET_EUICC_DATA, "GetEuiccDataRequest").octets(0x5C)
    if wanted != b"\x5a":
        raise StatusError(Status.INCORRECT_DATA)
    return messages.encode_eid(bytes.fromhex(session.state.eid))


def list_profiles(session: CardSession, request: bytes) -> bytes:
    """Answer GetProfilesInfo (5.7.15): all profiles or those of a search, with the requested tags."""
    try:
        asked = ProfileListRequest.decode(request)
    except RspDecodeError:
        return tlv.encode(messages.TAG_PROFILE_LIST, encode_integer(0x81, _INCORRECT_INPUT))
    tags = _DEFAULT_TAGS if asked.tags is None else asked.tags
    return messages.encode_profile_list(
        _describe(profile, tags) for profile in session.state.profiles if _matches(profile, asked)
    )


def _matches(profile: Profile, asked: ProfileListRequest) -> bool:
    if asked.profile is not None:
        return _is(profile, asked.profile)
    return asked.profile_class is None or policy.class_of(policy.describe(profile)) == asked.profile_class


def _describe(profile: Profile, tags: tuple[int, ...]) -> ProfileInfo:
    metadata = policy.describe(profile)
    known: dict[str, Any] = {
        name: getattr(metadata, name) for name in _TAG_NAMES.values() if hasattr(metadata, name)
    }
    known["aid"] = profile.isdp_aid
    known["state"] = int(profile.enabled)
    known["nickname"] = profile.nickname or None
    known["profile_class"] = policy.class_of(metadata)
    return ProfileInfo(**{_TAG_NAMES[tag]: known[_TAG_NAMES[tag]] for tag in tags if tag in _TAG_NAMES})


def enable(session: CardSession, request: bytes) -> bytes:
    """Answer EnableProfile (5.7.16); the profile that was enabled is disabled in the same step."""
    tag = messages.TAG_ENABLE_PROFILE
    profile = _find(session, ProfileSwitchRequest.decode(request, tag).profile)
    if profile is None:
        return messages.encode_result(tag, _NOT_FOUND)
    if profile.enabled:
        return messages.encode_result(tag, _WRONG_STATE)
    before = session.state.enabled_profile()
    if before is not None:
        if policy.forbids(before, PolicyRule.DISABLING_NOT_ALLOWED):
            return messages.encode_result(tag, _DISALLOWED_BY_POLICY)
        before.enabled = False
        note(session.state, before, NotificationEvent.DISABLE)
    profile.enabled = True
    note(session.state, profile, NotificationEvent.ENABLE)
    session.commit()
    session.profile_switched()
    return messages.encode_result(tag, _OK)


def disable(session: CardSession, request: bytes) -> bytes:
    """Answer DisableProfile (5.7.17)."""
    tag = messages.TAG_DISABLE_PROFILE
    profile = _find(session, ProfileSwitchRequest.decode(request, tag).profile)
    if profile is None:
        return messages.encode_result(tag, _NOT_FOUND)
    if not profile.enabled:
        return messages.encode_result(tag, _WRONG_STATE)
    if policy.forbids(profile, PolicyRule.DISABLING_NOT_ALLOWED):
        return messages.encode_result(tag, _DISALLOWED_BY_POLICY)
    profile.enabled = False
    note(session.state, profile, NotificationEvent.DISABLE)
    session.commit()
    session.profile_switched()
    return messages.encode_result(tag, _OK)


def delete(session: CardSession, request: bytes) -> bytes:
    """Answer DeleteProfile (5.7.18): delete a disabled profile with all its data."""
    tag = messages.TAG_DELETE_PROFILE
    profile = _find(session, messages.decode_delete_request(request))
    if profile is None:
        return messages.encode_result(tag, _NOT_FOUND)
    if profile.enabled:
        return messages.encode_result(tag, _WRONG_STATE)
    if policy.forbids(profile, PolicyRule.DELETION_NOT_ALLOWED):
        return messages.encode_result(tag, _DISALLOWED_BY_POLICY)
    session.state.profiles.remove(profile)
    note(session.state, profile, NotificationEvent.DELETE)
    session.commit()
    return messages.encode_result(tag, _OK)


def memory_reset(session: CardSession, request: bytes) -> bytes:
    """Answer EuiccMemoryReset (5.7.19): delete what the options select. Policy rules do not prevent a reset."""
    tag = messages.TAG_MEMORY_RESET
    options = Fields.of(request, tag, "EuiccMemoryResetRequest").bits(0x82)
    state = session.state
    gone = [
        profile
        for profile in state.profiles
        if _DELETE_OPERATIONAL in options and policy.class_of(policy.describe(profile)) == ProfileClass.OPERATIONAL
    ]
    address_goes = _RESET_DEFAULT_SMDP in options and bool(state.default_smdp_address)
    if not gone and not address_goes:
        return messages.encode_result(tag, _NOTHING_TO_DELETE)
    switched = any(profile.enabled for profile in gone)
    for profile in gone:
        state.profiles.remove(profile)
        note(state, profile, NotificationEvent.DELETE)
    if address_goes:
        state.default_smdp_address = ""
    session.commit()
    if switched:
        session.profile_switched()
    return messages.encode_result(tag, _OK)


def set_nickname(session: CardSession, request: bytes) -> bytes:
    """Answer SetNickname (5.7.21); an empty nickname removes the stored one."""
    iccid, nickname = messages.decode_nickname_request(request)
    profile = _find(session, ProfileId.of_iccid(iccid))
    if profile is None:
        return messages.encode_result(messages.TAG_SET_NICKNAME, _NOT_FOUND)
    if len(nickname.encode()) > NICKNAME_MAX_OCTETS:
        return messages.encode_result(messages.TAG_SET_NICKNAME, _UNDEFINED)
    profile.nickname = nickname
    session.commit()
    return messages.encode_result(messages.TAG_SET_NICKNAME, _OK)


def _find(session: CardSession, wanted: ProfileId) -> Profile | None:
    return next((profile for profile in session.state.profiles if _is(profile, wanted)), None)


def _is(profile: Profile, wanted: ProfileId) -> bool:
    return wanted.value == (profile.iccid if wanted.tag == messages.TAG_ICCID else profile.isdp_aid)

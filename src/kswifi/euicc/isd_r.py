"""The ISD-R: ES10c functions by STORE DATA (SGP.22, 5.7.2 and 5.7.15 to 5.7.20)."""

from collections.abc import Callable
from typing import Final

from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel
from kswifi.euicc.state import Profile
from kswifi.rsp import tlv

_MORE_BLOCKS: Final = 0x11
_LAST_BLOCK: Final = 0x91
_REQUEST_MAX_OCTETS: Final = 4096

_OK: Final = 0
_NOT_FOUND: Final = 1
_WRONG_STATE: Final = 2  # not disabled where that is needed, or not enabled
_UNDEFINED: Final = 127

_ICCID: Final = 0x5A
_ISDP_AID: Final = 0x4F
_STATE: Final = 0x9F70
_CLASS: Final = 0x95
_OPERATIONAL: Final = b"\x02"
_DEFAULT_TAGS: Final = (_ICCID, _ISDP_AID, _STATE, 0x91, 0x92, _CLASS)


def store_data(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Gather the blocks of one request and, with the last, do it; blocks before the last answer nothing."""
    if command.p1 not in (_MORE_BLOCKS, _LAST_BLOCK):
        raise _abandon(channel, Status.INCORRECT_P1_P2)
    if command.p2 == 0:
        channel.stored.clear()
        channel.blocks = 0
    if command.p2 != channel.blocks & 0xFF:
        raise _abandon(channel, Status.INCORRECT_P1_P2)
    channel.stored += command.data
    channel.blocks += 1
    if len(channel.stored) > _REQUEST_MAX_OCTETS:
        raise _abandon(channel, Status.WRONG_LENGTH)
    if command.p1 == _MORE_BLOCKS:
        return b""
    request = bytes(channel.stored)
    channel.stored.clear()
    channel.blocks = 0
    try:
        item, end = tlv.read(request)
        handler = _FUNCTIONS.get(item.tag)
        if handler is None:
            raise StatusError(Status.REFERENCED_DATA_NOT_FOUND)
        if end != len(request):
            raise StatusError(Status.INCORRECT_DATA)
        return handler(session, item.value)
    except tlv.TlvError:
        raise StatusError(Status.INCORRECT_DATA) from None


def _abandon(channel: Channel, status: Status) -> StatusError:
    channel.stored.clear()
    channel.blocks = 0
    return StatusError(status)


def _get_eid(session: CardSession, request: bytes) -> bytes:
    """GetEUICCData (5.7.20): of all data objects, the EID is the one this command can ask for."""
    wanted = tlv.children(request).get(0x5C)
    if wanted is None or wanted.value != b"\x5a":
        raise StatusError(Status.INCORRECT_DATA)
    return tlv.encode(0xBF3E, tlv.encode(0x5A, bytes.fromhex(session.state.eid)))


def _list_profiles(session: CardSession, request: bytes) -> bytes:
    """ProfileInfoList (5.7.15): all profiles, or those of a search, with the tags asked for."""
    fields = tlv.children(request)
    profiles = session.state.profiles
    if 0xA0 in fields:
        criterion, _ = tlv.read(fields[0xA0].value)
        profiles = [p for p in profiles if _describe(p).get(criterion.tag) == criterion.value]
    tags = _tags(fields[0x5C].value) if 0x5C in fields else _DEFAULT_TAGS
    entries = []
    for profile in profiles:
        known = _describe(profile)
        entries.append(tlv.encode(0xE3, *(tlv.encode(tag, known[tag]) for tag in tags if tag in known)))
    return tlv.encode(0xBF2D, tlv.encode(0xA0, *entries))


def _describe(profile: Profile) -> dict[int, bytes]:
    return {
        _ICCID: profile.iccid,
        _ISDP_AID: profile.isdp_aid,
        _STATE: bytes([profile.enabled]),
        0x91: profile.service_provider_name.encode(),
        0x92: profile.name.encode(),
        _CLASS: _OPERATIONAL,
    }


def _tags(octets: bytes) -> tuple[int, ...]:
    """Read a tag list: tags of one or two octets, one after another."""
    rest = iter(octets)
    tags = [octet if octet & 0x1F != 0x1F else octet << 8 | next(rest, 0) for octet in rest]
    return tuple(dict.fromkeys(tags))


def _enable(session: CardSession, request: bytes) -> bytes:
    """EnableProfile (5.7.16): the profile enabled before is disabled in the same step."""
    profile = _find(session, _identifier_and_refresh(request))
    if profile is None:
        return _result(0xBF31, _NOT_FOUND)
    if profile.enabled:
        return _result(0xBF31, _WRONG_STATE)
    for other in session.state.profiles:
        other.enabled = other is profile
    session.commit()
    session.profile_switched()
    return _result(0xBF31, _OK)


def _disable(session: CardSession, request: bytes) -> bytes:
    """DisableProfile (5.7.17)."""
    profile = _find(session, _identifier_and_refresh(request))
    if profile is None:
        return _result(0xBF32, _NOT_FOUND)
    if not profile.enabled:
        return _result(0xBF32, _WRONG_STATE)
    profile.enabled = False
    session.commit()
    session.profile_switched()
    return _result(0xBF32, _OK)


def _delete(session: CardSession, request: bytes) -> bytes:
    """DeleteProfile (5.7.18): a disabled profile, and everything it brought."""
    profile = _find(session, tlv.read(request)[0])
    if profile is None:
        return _result(0xBF33, _NOT_FOUND)
    if profile.enabled:
        return _result(0xBF33, _WRONG_STATE)
    session.state.profiles.remove(profile)
    session.commit()
    return _result(0xBF33, _OK)


def _identifier_and_refresh(request: bytes) -> tlv.Tlv:
    fields = tlv.children(request)
    if 0xA0 not in fields or 0x81 not in fields or len(fields[0x81].value) != 1:
        raise StatusError(Status.INCORRECT_DATA)
    return tlv.read(fields[0xA0].value)[0]


def _find(session: CardSession, identifier: tlv.Tlv) -> Profile | None:
    for profile in session.state.profiles:
        if identifier.tag == _ICCID and identifier.value == profile.iccid:
            return profile
        if identifier.tag == _ISDP_AID and identifier.value == profile.isdp_aid:
            return profile
    return None


def _result(tag: int, result: int) -> bytes:
    return tlv.encode(tag, tlv.encode(0x80, bytes([result])))


_FUNCTIONS: Final[dict[int, Callable[[CardSession, bytes], bytes]]] = {
    0xBF2D: _list_profiles,
    0xBF31: _enable,
    0xBF32: _disable,
    0xBF33: _delete,
    0xBF3E: _get_eid,
}

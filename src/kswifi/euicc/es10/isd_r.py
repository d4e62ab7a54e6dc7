"""The ISD-R: it receives ES10 function calls by STORE DATA (SGP.22, 5.7.2)."""

from collections.abc import Callable
from typing import Final

from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel
from kswifi.euicc.es10 import es10b, es10c, loading, notifications
from kswifi.euicc.profiles.policy import TAG_GET_RAT
from kswifi.rsp import tlv
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.messages import profiles
from kswifi.rsp.messages.authentication import TAG_AUTHENTICATE_SERVER
from kswifi.rsp.messages.bound_profile_package import TAG_BOUND_PROFILE_PACKAGE
from kswifi.rsp.messages.download import TAG_CANCEL_SESSION, TAG_PREPARE_DOWNLOAD
from kswifi.rsp.messages.euicc_info import TAG_EUICC_INFO1, TAG_EUICC_INFO2

_MORE_BLOCKS: Final = 0x11
_LAST_BLOCK: Final = 0x91
_REQUEST_MAX_OCTETS: Final = 8192

_FUNCTIONS: Final[dict[int, Callable[[CardSession, bytes], bytes]]] = {
    TAG_EUICC_INFO1: es10b.get_info1,
    TAG_PREPARE_DOWNLOAD: es10b.prepare_download,
    TAG_EUICC_INFO2: es10b.get_info2,
    profiles.TAG_LIST_NOTIFICATIONS: notifications.list_notifications,
    profiles.TAG_SET_NICKNAME: es10c.set_nickname,
    profiles.TAG_RETRIEVE_NOTIFICATIONS: notifications.retrieve_notifications,
    profiles.TAG_PROFILE_LIST: es10c.list_profiles,
    es10b.TAG_GET_CHALLENGE: es10b.get_challenge,
    profiles.TAG_NOTIFICATION_SENT: notifications.notification_sent,
    profiles.TAG_ENABLE_PROFILE: es10c.enable,
    profiles.TAG_DISABLE_PROFILE: es10c.disable,
    profiles.TAG_DELETE_PROFILE: es10c.delete,
    profiles.TAG_MEMORY_RESET: es10c.memory_reset,
    TAG_AUTHENTICATE_SERVER: es10b.authenticate_server,
    profiles.TAG_CONFIGURED_ADDRESSES: es10c.get_configured_addresses,
    profiles.TAG_GET_EUICC_DATA: es10c.get_eid,
    profiles.TAG_SET_DEFAULT_DP: es10c.set_default_smdp,
    TAG_CANCEL_SESSION: es10b.cancel_session,
    TAG_GET_RAT: es10c.get_rat,
}


def store_data(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Collect the blocks of one request and process it with the last block; earlier blocks get no response data."""
    if command.p1 not in (_MORE_BLOCKS, _LAST_BLOCK):
        raise _abandon(channel, Status.INCORRECT_P1_P2)
    if command.p2 == 0 and channel.blocks & 0xFF:
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
        return _run(session, request)
    except (tlv.TlvError, RspDecodeError):
        raise StatusError(Status.INCORRECT_DATA) from None


def _run(session: CardSession, request: bytes) -> bytes:
    tag, start, length = tlv.read_header(request)
    function = _FUNCTIONS.get(tag)
    if function is None:
        # The units of a bound profile package are data objects that may end early (A1 and A3 are headers without
        # their segments), so only their place in the sequence identifies them, not their tag.
        if tag == TAG_BOUND_PROFILE_PACKAGE or loading.is_loading(session):
            return loading.load(session, request)
        raise StatusError(Status.REFERENCED_DATA_NOT_FOUND)
    if start + length != len(request):
        raise StatusError(Status.INCORRECT_DATA)
    return function(session, request)


def _abandon(channel: Channel, status: Status) -> StatusError:
    channel.stored.clear()
    channel.blocks = 0
    return StatusError(status)

"""Notifications: signed reports of profile changes, stored until their servers acknowledge them (SGP.22, 3.5)."""

import logging
from typing import Final

from kswifi.euicc.channel import CardSession
from kswifi.euicc.es10.credentials import identity_of, sign
from kswifi.euicc.profiles.policy import describe
from kswifi.euicc.state import CardState, EuiccIdentity, Profile, StoredNotification
from kswifi.rsp.fields import Fields
from kswifi.rsp.messages.metadata import NotificationEvent
from kswifi.rsp.messages.notifications import (
    InstallFailure,
    InstallResult,
    InstallResultData,
    InstallSuccess,
    NotificationMetadata,
    OtherSignedNotification,
    encode_notification_list,
)
from kswifi.rsp.messages.profiles import (
    TAG_LIST_NOTIFICATIONS,
    TAG_NOTIFICATION_SENT,
    TAG_RETRIEVE_NOTIFICATIONS,
    NotificationQuery,
    encode_result,
)

NOTIFICATION_MEMORY_OCTETS: Final = 256 * 1024
"""The card's memory for notifications, separate from that for profiles."""
RESULT_RESERVE_OCTETS: Final = 64 * 1024
"""The part of it reserved for install results, because a server's order waits for them."""
_OK: Final = 0
_NOTHING_TO_DELETE: Final = 1

_log = logging.getLogger(__name__)


def list_notifications(session: CardSession, request: bytes) -> bytes:
    """Answer ListNotification (5.7.9): the metadata of the stored notifications."""
    found = _find(session.state, NotificationQuery.decode_list(request))
    return encode_notification_list(TAG_LIST_NOTIFICATIONS, (each.metadata for each in found))


def retrieve_notifications(session: CardSession, request: bytes) -> bytes:
    """Answer RetrieveNotificationsList (5.7.10): the stored notifications as signed."""
    found = _find(session.state, NotificationQuery.decode_retrieve(request))
    return encode_notification_list(TAG_RETRIEVE_NOTIFICATIONS, (each.octets for each in found))


def notification_sent(session: CardSession, request: bytes) -> bytes:
    """Answer NotificationSent (5.7.11): delete a notification that the server has acknowledged."""
    number = Fields.of(request, TAG_NOTIFICATION_SENT, "NotificationSentRequest").integer(0x80)
    waiting = session.state.notifications
    kept = [each for each in waiting if each.sequence_number != number]
    if len(kept) == len(waiting):
        return encode_result(TAG_NOTIFICATION_SENT, _NOTHING_TO_DELETE)
    session.state.notifications = kept
    session.commit()
    return encode_result(TAG_NOTIFICATION_SENT, _OK)


def _find(state: CardState, query: NotificationQuery) -> list[StoredNotification]:
    return [
        each
        for each in state.notifications
        if query.sequence_number in (None, each.sequence_number)
        and (query.events is None or each.event in query.events)
    ]


def note(state: CardState, profile: Profile, event: NotificationEvent) -> None:
    """Store a signed notification for each server that the profile names for this event (3.5).

    A profile that was loaded directly names no server and has no CI under which the card could sign.
    """
    identity = identity_of(state, profile.issuer_key_id)
    if identity is None:
        return
    for configuration in describe(profile).notifications:
        if event not in configuration.events:
            continue
        metadata = _next_metadata(state, event, configuration.address, profile.iccid)
        signed = OtherSignedNotification(
            metadata, sign(identity, metadata.raw), identity.certificate, identity.eum_certificate
        )
        _keep(state, metadata, signed.encode(), install_result=False)


def note_install_result(
    state: CardState,
    identity: EuiccIdentity,
    *,
    transaction_id: bytes,
    address: str,
    smdp_oid: str,
    iccid: bytes | None,
    final_result: InstallSuccess | InstallFailure,
) -> bytes:
    """Store the signed result of a download and return it: it is the answer to the last segment (2.5.6)."""
    metadata = _next_metadata(state, NotificationEvent.INSTALL, address, iccid)
    data = InstallResultData.build(
        transaction_id=transaction_id, notification=metadata, smdp_oid=smdp_oid, final_result=final_result
    )
    octets = InstallResult(data, sign(identity, data.raw)).encode()
    _keep(state, metadata, octets, install_result=True)
    return octets


def _next_metadata(
    state: CardState, event: NotificationEvent, address: str, iccid: bytes | None
) -> NotificationMetadata:
    number = state.next_sequence_number
    state.next_sequence_number = number + 1
    return NotificationMetadata.build(sequence_number=number, event=event, address=address, iccid=iccid)


def _keep(state: CardState, metadata: NotificationMetadata, octets: bytes, *, install_result: bool) -> None:
    """Store a notification if there is room.

    A stored notification stays until NotificationSent removes it (SGP.22, 3.5), so a full memory takes no new
    one; its sequence number stays used, which makes the gap visible.
    """
    room = NOTIFICATION_MEMORY_OCTETS - (0 if install_result else RESULT_RESERVE_OCTETS)
    used = sum(len(each.metadata) + len(each.octets) for each in state.notifications)
    if used + len(metadata.raw) + len(octets) > room:
        _log.warning("notification %d is not kept: the memory is full", metadata.sequence_number)
        return
    kept = StoredNotification(metadata.sequence_number, metadata.event, install_result, metadata.raw, octets)
    state.notifications = [*state.notifications, kept]

"""ENVELOPE: deliver short messages with secured packets to the card (TS 31.111, 7.1).

Parts of a concatenated message are kept in memory until the last one; parts of a new message discard them.
"""

from kswifi.euicc import remote
from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel
from kswifi.scp80 import sms
from kswifi.scp80.errors import SecuredPacketError


def envelope(session: CardSession, _channel: Channel, command: Command) -> bytes:
    """Process a message (SMS-PP DOWNLOAD); the last part of a secured packet runs it and returns its PoR.

    Raises:
        StatusError: no profile is enabled, or the data are not a message with a secured packet.
    """
    profile = session.state.enabled_profile()
    if profile is None:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    if command.p1 or command.p2:
        raise StatusError(Status.INCORRECT_P1_P2)
    try:
        packet = _gather(session, sms.read_deliver(sms.read_envelope(command.data)))
        return b"" if packet is None else remote.run(session, profile, packet)
    except SecuredPacketError:
        session.segments = {}
        raise StatusError(Status.INCORRECT_DATA) from None


def _gather(session: CardSession, segment: sms.Segment) -> bytes | None:
    """Return the packet that this part completes; None while parts are missing."""
    reference, count, number = segment.part
    known = next(iter(session.segments.values()), None)
    if known is not None and known.part[:2] != (reference, count):
        session.segments = {}
    session.segments[number] = segment
    if len(session.segments) < count:
        return None
    segments, session.segments = session.segments, {}
    return sms.join(list(segments.values()))

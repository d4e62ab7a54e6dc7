"""Secured packets in short messages (TS 23.040, 9.2; TS 31.115, 4): segments, headers, ENVELOPE, delivery report.

One message carries at most 140 octets of user data, and a command packet is usually longer. So it is split into
segments: SMS-DELIVER messages whose user data headers hold a common reference, the number of segments and their own
place. The first segment's header also marks the start of a command packet.

The phone gives each message to the card in an ENVELOPE command (SMS-PP DOWNLOAD: TS 31.111, 7.1). The card collects
the segments, in any order. It answers the last ENVELOPE with the response packet behind its own user data header;
in a network the phone would return this in SMS-DELIVER-REPORT.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kswifi.rsp import tlv
from kswifi.scp80.errors import MalformedPacketError
from kswifi.scp80.packets import RESPONSE_UDH

COMMAND_PACKET: Final = 0x70
"""The information element that marks the start of a command packet (TS 31.115, 4.2)."""
CONCATENATED_8: Final = 0x00
CONCATENATED_16: Final = 0x08
USER_DATA_MAX_OCTETS: Final = 140
SEGMENTS_MAX: Final = 16

_PID_USIM_DOWNLOAD: Final = 0x7F  # TS 23.040, 9.2.3.9: (U)SIM data download
_DCS_CLASS_2_DATA: Final = 0xF6  # TS 23.038, 4: 8 bits, class 2
_DELIVER: Final = 0x00
_MORE_MESSAGES_NONE: Final = 0x04
_HEADER_INDICATED: Final = 0x40
_ORIGINATOR: Final = bytes.fromhex("04812143")  # a short number, as networks use for such messages: 1234
_TIMESTAMP_OCTETS: Final = 7
_PP_DOWNLOAD: Final = 0xD1
_DEVICES: Final = 0x82
_DEVICES_LOOSE: Final = 0x02
_SMS_TPDU: Final = 0x8B
_SMS_TPDU_LOOSE: Final = 0x0B
_NETWORK_TO_CARD: Final = bytes([0x83, 0x81])


@dataclass(frozen=True, slots=True)
class Segment:
    """The user data of one message: the information elements of its header, and the octets after the header."""

    elements: Mapping[int, bytes]
    octets: bytes

    @property
    def part(self) -> tuple[int, int, int]:
        """Return (reference, number of segments, place from 1); (0, 1, 1) if the message is not concatenated.

        Raises:
            MalformedPacketError: the concatenation element has a wrong length or impossible numbers.
        """
        for identifier, octets in ((CONCATENATED_8, 1), (CONCATENATED_16, 2)):
            value = self.elements.get(identifier)
            if value is None:
                continue
            if len(value) != octets + 2 or not 1 <= value[-1] <= value[-2] <= SEGMENTS_MAX:
                raise MalformedPacketError(f"a concatenated message has 1 to {SEGMENTS_MAX} parts")
            return int.from_bytes(value[:octets], "big"), value[-2], value[-1]
        return 0, 1, 1


def deliver_messages(packet: bytes, reference: int, timestamp: bytes = bytes(_TIMESTAMP_OCTETS)) -> list[bytes]:
    """Return the SMS-DELIVER messages (TPDU) that carry a command packet.

    Args:
        packet: the command packet.
        reference: common to the segments of this packet, and different for the next one; its low octet is used.
        timestamp: the service centre's time stamp, 7 octets (TS 23.040, 9.2.3.11).

    Raises:
        MalformedPacketError: the packet needs more than ``SEGMENTS_MAX`` messages.
    """
    single = _user_data({COMMAND_PACKET: b""}, packet)
    if len(single) <= USER_DATA_MAX_OCTETS:
        return [_deliver(single, timestamp)]
    parts: list[bytes] = []
    rest = packet
    while rest:
        # The header takes 6 octets (its length, and 5 of the concatenation element); in the first segment 2 more,
        # for the element that marks a command packet.
        room = USER_DATA_MAX_OCTETS - (6 if parts else 8)
        parts.append(rest[:room])
        rest = rest[room:]
    if len(parts) > SEGMENTS_MAX:
        raise MalformedPacketError(f"a command packet has at most {SEGMENTS_MAX} messages", messages=len(parts))
    messages = []
    for number, part in enumerate(parts, start=1):
        elements = {CONCATENATED_8: bytes([reference & 0xFF, len(parts), number])}
        if number == 1:
            elements[COMMAND_PACKET] = b""
        messages.append(_deliver(_user_data(elements, part), timestamp))
    return messages


def read_deliver(tpdu: bytes) -> Segment:
    """Read the user data of an SMS-DELIVER message (TS 23.040, 9.2.2.1).

    Raises:
        MalformedPacketError: it is not an SMS-DELIVER with a user data header.
    """
    if len(tpdu) < 2 or tpdu[0] & 0x03 != _DELIVER or not tpdu[0] & _HEADER_INDICATED:
        raise MalformedPacketError("this is no SMS-DELIVER with a user data header")
    address = 3 + (tpdu[1] + 1) // 2  # length, type, two digits an octet
    fixed = tpdu[address : address + 2 + _TIMESTAMP_OCTETS + 1]
    if len(fixed) != 2 + _TIMESTAMP_OCTETS + 1:
        raise MalformedPacketError("an SMS-DELIVER is cut short", octets=len(tpdu))
    data = tpdu[address + len(fixed) :]
    if len(data) != fixed[-1]:
        raise MalformedPacketError("the user data is not as long as it says", octets=len(data))
    return read_user_data(data)


def read_user_data(data: bytes) -> Segment:
    """Read user data that begins with a header (TS 23.040, 9.2.3.24).

    Raises:
        MalformedPacketError: the elements do not fill the header exactly, or one occurs twice.
    """
    if not data or len(data) < 1 + data[0]:
        raise MalformedPacketError("a user data header is cut short")
    header, octets = data[1 : 1 + data[0]], data[1 + data[0] :]
    elements: dict[int, bytes] = {}
    offset = 0
    while offset < len(header):
        value = header[offset + 2 : offset + 2 + header[offset + 1]] if offset + 1 < len(header) else b""
        if offset + 1 >= len(header) or len(value) != header[offset + 1] or header[offset] in elements:
            raise MalformedPacketError("the elements of a user data header do not fill it, or one occurs twice")
        elements[header[offset]] = value
        offset += 2 + len(value)
    return Segment(elements, octets)


def join(segments: Sequence[Segment]) -> bytes:
    """Join segments, given in any order, to the command packet that they carry.

    Raises:
        MalformedPacketError: a segment is missing or belongs to another message, or the first is not marked as the
            start of a command packet.
    """
    ordered = sorted(segments, key=lambda segment: segment.part[2])
    parts = [segment.part for segment in ordered]
    if not parts or len({(reference, count) for reference, count, _ in parts}) != 1:
        raise MalformedPacketError("the segments are not of one message")
    if [number for _, _, number in parts] != list(range(1, parts[0][1] + 1)):
        raise MalformedPacketError("a segment is missing")
    if COMMAND_PACKET not in ordered[0].elements:
        raise MalformedPacketError("the message does not begin a command packet")
    return b"".join(segment.octets for segment in ordered)


def envelope(tpdu: bytes) -> bytes:
    """Return the ENVELOPE command (SMS-PP DOWNLOAD) that gives a message to a card (TS 31.111, 7.1.1.2)."""
    data = tlv.encode(_PP_DOWNLOAD, tlv.encode(_DEVICES, _NETWORK_TO_CARD), tlv.encode(_SMS_TPDU, tpdu))
    return bytes([0x80, 0xC2, 0x00, 0x00, len(data)]) + data


def read_envelope(data: bytes) -> bytes:
    """Return the message (TPDU) in the data of an ENVELOPE command.

    Raises:
        MalformedPacketError: it is not an SMS-PP DOWNLOAD from the network to the card.
    """
    try:
        outer = tlv.only(data, _PP_DOWNLOAD)
        fields = tlv.children(outer.value)
    except tlv.TlvError as error:
        raise MalformedPacketError(f"this is no SMS-PP DOWNLOAD: {error.message}") from None
    devices = fields.get(_DEVICES) or fields.get(_DEVICES_LOOSE)
    message = fields.get(_SMS_TPDU) or fields.get(_SMS_TPDU_LOOSE)
    if devices is None or devices.value != _NETWORK_TO_CARD or message is None:
        raise MalformedPacketError("an SMS-PP DOWNLOAD is from the network to the card, and has a message")
    return message.value


def report(response: bytes) -> bytes:
    """Return the card's answer to an ENVELOPE: a response packet as user data of SMS-DELIVER-REPORT."""
    return RESPONSE_UDH + response


def read_report(user_data: bytes) -> bytes:
    """Return the response packet in the card's answer to an ENVELOPE.

    Raises:
        MalformedPacketError: the answer holds none.
    """
    if not user_data.startswith(RESPONSE_UDH):
        raise MalformedPacketError("the card's answer holds no response packet")
    return user_data[len(RESPONSE_UDH) :]


def _user_data(elements: Mapping[int, bytes], octets: bytes) -> bytes:
    header = b"".join(bytes([identifier, len(value)]) + value for identifier, value in elements.items())
    return bytes([len(header)]) + header + octets


def _deliver(user_data: bytes, timestamp: bytes) -> bytes:
    return b"".join(
        (
            bytes([_DELIVER | _MORE_MESSAGES_NONE | _HEADER_INDICATED]),
            _ORIGINATOR,
            bytes([_PID_USIM_DOWNLOAD, _DCS_CLASS_2_DATA]),
            timestamp,
            bytes([len(user_data)]),
            user_data,
        )
    )

"""The wire between Chromium and its maker's push service (Mobile Connection Server), as far as a push needs it.

After one octet of version each message is a tag, a length and a protobuf. The format is taken from Chromium's
own sources (`google_apis/gcm/protocol`).
"""

import struct
from asyncio import StreamReader
from enum import IntEnum
from typing import Final

VERSION: Final = b"\x29"
_BYTES: Final = 2


class Tag(IntEnum):
    """What a message is."""

    HEARTBEAT_PING = 0
    HEARTBEAT_ACK = 1
    LOGIN_REQUEST = 2
    LOGIN_RESPONSE = 3
    DATA = 8


def checkin_response(android_id: int, security_token: int) -> bytes:
    """Return AndroidCheckinResponse: who the browser is from now on."""
    numbers = b"".join(
        _varint(number << 3 | 1) + struct.pack("<Q", value)
        for number, value in ((7, android_id), (8, security_token))
    )
    return _number(1, 1) + numbers  # stats_ok


def login_response() -> bytes:
    """Return LoginResponse, to the first message of a connection."""
    return framed(Tag.LOGIN_RESPONSE, _text(1, "login") + _number(6, 1))


def data_message(message_id: str, app: str, subtype: str, sender: str, body: bytes) -> bytes:
    """Return DataMessageStanza: an encrypted message for one subscription of the browser's."""
    fields = _text(3, sender) + _text(5, app)
    for key, value in (("subtype", subtype), ("content-encoding", "aes128gcm")):
        fields += _field(7, _text(1, key) + _text(2, value))
    return framed(Tag.DATA, fields + _text(9, message_id) + _field(21, body))


def framed(tag: Tag, fields: bytes) -> bytes:
    """Return a message as it goes over the wire."""
    return bytes([tag]) + _varint(len(fields)) + fields


async def read_message(reader: StreamReader) -> tuple[int, bytes]:
    """Read one message; IncompleteReadError at the end of the connection."""
    tag = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        (octet,) = await reader.readexactly(1)
        length |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return tag, await reader.readexactly(length)


def _varint(value: int) -> bytes:
    octets = b""
    while value > 0x7F:
        octets += bytes([value & 0x7F | 0x80])
        value >>= 7
    return octets + bytes([value])


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _field(number, value.encode())

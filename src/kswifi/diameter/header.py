"""The Diameter header: twenty octets (RFC 6733, 3)."""

from struct import Struct
from typing import Final, NamedTuple

from kswifi.diameter.constants import ResultCode
from kswifi.diameter.errors import DiameterError

VERSION: Final = 1
HEADER_OCTETS: Final = 20
MAX_MESSAGE_OCTETS: Final = 65536
"""No message of Gy or S6a comes near this size; a longer one is refused unread."""

FLAG_REQUEST: Final = 0x80
FLAG_PROXIABLE: Final = 0x40
FLAG_ERROR: Final = 0x20
FLAG_RETRANSMITTED: Final = 0x10

_HEADER: Final = Struct("!IIIII")


class Header(NamedTuple):
    """The header fields of a message, without version and length."""

    flags: int
    command_code: int
    application_id: int
    hop_by_hop: int
    end_to_end: int

    @property
    def is_request(self) -> bool:
        """Whether the R bit is set."""
        return bool(self.flags & FLAG_REQUEST)

    @property
    def is_retransmitted(self) -> bool:
        """Whether the T bit is set: the message may have been sent before."""
        return bool(self.flags & FLAG_RETRANSMITTED)

    @property
    def answer_flags(self) -> int:
        """The flags of the answer: P as in the request, the others cleared (RFC 6733, 6.2)."""
        return self.flags & FLAG_PROXIABLE


def decode_header(message: bytes) -> Header:
    """Decode the header of a complete message.

    Raises:
        DiameterError: 5011 wrong version; 5015 the length does not equal the octets here or is not a multiple of
            four; 3008 a request with the E bit.
    """
    if len(message) < HEADER_OCTETS:
        raise DiameterError(ResultCode.INVALID_MESSAGE_LENGTH, f"a message of {len(message)} octets has no header")
    version_length, flags_command, application_id, hop_by_hop, end_to_end = _HEADER.unpack_from(message)
    check_version_and_length(version_length)
    if version_length & 0xFFFFFF != len(message):
        raise DiameterError(
            ResultCode.INVALID_MESSAGE_LENGTH,
            f"the header says {version_length & 0xFFFFFF} octets, {len(message)} are here",
        )
    flags = flags_command >> 24
    if flags & (FLAG_REQUEST | FLAG_ERROR) == FLAG_REQUEST | FLAG_ERROR:
        raise DiameterError(ResultCode.INVALID_HEADER_BITS, "a request has the E bit set")
    return Header(flags, flags_command & 0xFFFFFF, application_id, hop_by_hop, end_to_end)


def peek_header(message: bytes) -> Header:
    """Decode the header without checks, so that an otherwise wrong message can be refused with its identifiers."""
    _, flags_command, application_id, hop_by_hop, end_to_end = _HEADER.unpack_from(message)
    return Header(flags_command >> 24, flags_command & 0xFFFFFF, application_id, hop_by_hop, end_to_end)


def check_version_and_length(first_word: int) -> None:
    """Check the first four octets, read as one number, before the rest of the message arrives.

    Raises:
        DiameterError: 5011 wrong version; 5015 a length that no message can have here.
    """
    if first_word >> 24 != VERSION:
        raise DiameterError(ResultCode.UNSUPPORTED_VERSION, f"Diameter version {first_word >> 24} is not 1")
    length = first_word & 0xFFFFFF
    if length < HEADER_OCTETS or length % 4 or length > MAX_MESSAGE_OCTETS:
        raise DiameterError(
            ResultCode.INVALID_MESSAGE_LENGTH,
            f"a message of {length} octets is shorter than a header, no multiple of 4, "
            f"or longer than {MAX_MESSAGE_OCTETS}",
        )


def encode_message(header: Header, avps: bytes) -> bytes:
    """Encode a message from its header and its encoded AVPs.

    Raises:
        ValueError: it would be longer than ``MAX_MESSAGE_OCTETS``.
    """
    length = HEADER_OCTETS + len(avps)
    if length > MAX_MESSAGE_OCTETS:
        raise ValueError(f"a message of {length} octets is longer than {MAX_MESSAGE_OCTETS}")
    flags, command_code, application_id, hop_by_hop, end_to_end = header
    return (
        _HEADER.pack(VERSION << 24 | length, flags << 24 | command_code, application_id, hop_by_hop, end_to_end)
        + avps
    )

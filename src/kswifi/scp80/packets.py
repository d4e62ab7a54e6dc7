"""Command and response packets (TS 102 225, 5; TS 31.115, 4): headers, counters, checksums, ciphering.

A command packet, with the octets of each field::

    CPL 2 | CHL 1 | SPI 2 | KIc 1 | KID 1 | TAR 3 | CNTR 5 | PCNTR 1 | CC 0 or 8 | secured data | padding
                                                    '----------- enciphered, if SPI says so ------------'

- CPL is the length of all that follows it, CHL that of the header, from SPI to the checksum.
- SPI says how the packet and its answer are protected. KIc and KID name the keys for ciphering and for the
  checksum.
- TAR addresses the receiving application on the card, such as remote file management.
- CNTR is the counter. The card refuses a packet whose counter it has seen, so that a replay changes nothing.
- PCNTR is the number of padding octets at the end.
- CC is the cryptographic checksum. It covers everything before it, and the data with its padding; it is computed
  first, over plain octets, and enciphered with the rest.

A response packet (RPL, RHL, TAR, CNTR, PCNTR, status, CC, data) is protected in the same way. Its checksum also
covers the user data header of the SMS that it would travel in. It repeats the command's counter, which ties it to
that command.

Packets here begin with their length, as they do behind the user data header of an SMS.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from kswifi.scp80.crypto import CHECKSUM_OCTETS, checksum, decipher, encipher, same
from kswifi.scp80.errors import MalformedPacketError, UnsupportedSecurityError, WrongChecksumError
from kswifi.scp80.security import Check, SecurityParameters, algorithm_of

COUNTER_OCTETS: Final = 5
COUNTER_MAX: Final = (1 << 8 * COUNTER_OCTETS) - 1
TAR_OCTETS: Final = 3
RESPONSE_UDH: Final = bytes.fromhex("027100")
"""The user data header of a response packet; its checksum covers this header too (TS 31.115, 4.4)."""

_COMMAND_HEAD_OCTETS: Final = 10  # CPL, CHL, SPI, KIc, KID, TAR
_COMMAND_HEADER_OCTETS: Final = 13  # what CHL counts, without a checksum
_RESPONSE_HEAD_OCTETS: Final = 6  # RPL, RHL, TAR
_RESPONSE_HEADER_OCTETS: Final = 10  # what RHL counts, without a checksum
_PACKET_MAX_OCTETS: Final = 0xFFFF


class ResponseStatus(IntEnum):
    """The card's verdict on a command packet (TS 102 225, table 5; TS 31.115, 7)."""

    POR_OK = 0x00
    CHECKSUM_FAILED = 0x01
    COUNTER_LOW = 0x02
    COUNTER_HIGH = 0x03
    COUNTER_BLOCKED = 0x04
    CIPHERING_ERROR = 0x05
    UNIDENTIFIED_SECURITY_ERROR = 0x06
    INSUFFICIENT_MEMORY = 0x07
    MORE_TIME_NEEDED = 0x08
    TAR_UNKNOWN = 0x09
    INSUFFICIENT_SECURITY_LEVEL = 0x0A
    ANSWER_BY_SUBMIT = 0x0B
    ANSWER_BY_USSD = 0x0C


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one key set: ``kic`` enciphers, ``kid`` makes checksums. Neither appears in ``repr``."""

    kic: bytes = field(repr=False)
    kid: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPacket:
    """A command packet before encryption, or after it was verified.

    Attributes:
        spi: how this packet and its answer are protected.
        kic: the octet that names the ciphering key and its algorithm (not the key).
        kid: the octet that names the checksum key and its algorithm (not the key).
        tar: the application on the card that gets the data, three octets.
        counter: 40 bits, higher than in any earlier packet to this card.
        data: the secured data, usually a script (``kswifi.scp80.scripts``).
    """

    spi: SecurityParameters
    kic: int
    kid: int
    tar: bytes
    counter: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandHead:
    """The part of a command packet that is readable without a key. Nothing of it is verified."""

    spi: SecurityParameters
    kic: int
    kid: int
    tar: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePacket:
    """A response packet before encryption, or after it was verified.

    ``status`` is a ``ResponseStatus`` or a number that no specification defines. ``counter`` is that of the
    command.
    """

    tar: bytes
    counter: int
    status: int
    data: bytes


def encode_command(packet: CommandPacket, keys: Keys) -> bytes:
    """Return the octets of a command packet, protected as its SPI says.

    Raises:
        UnsupportedSecurityError: SPI, KIc or KID ask for a check or an algorithm that is not implemented here.
        MalformedPacketError: the counter, the TAR or the data is too long.
    """
    if not 0 <= packet.counter <= COUNTER_MAX or len(packet.tar) != TAR_OCTETS:
        raise MalformedPacketError("a counter has five octets, a TAR three", counter=packet.counter)
    check_octets = _check_octets(packet.spi.check)
    clear = COUNTER_OCTETS + 1 + check_octets + len(packet.data)  # the part to encipher: counter, PCNTR, CC, data
    padding = -clear % algorithm_of(packet.kic).block_octets if packet.spi.ciphered else 0
    length = _COMMAND_HEAD_OCTETS - 2 + clear + padding
    if length > _PACKET_MAX_OCTETS:
        raise MalformedPacketError("a secured packet has at most 65535 octets", octets=length)
    head = b"".join(
        (
            length.to_bytes(2, "big"),
            bytes([_COMMAND_HEADER_OCTETS + check_octets]),
            packet.spi.encode(),
            bytes([packet.kic, packet.kid]),
            packet.tar,
        )
    )
    counted = packet.counter.to_bytes(COUNTER_OCTETS, "big") + bytes([padding])
    data = packet.data + bytes(padding)
    # Checksum first, over the plain header, counter and padded data; then the cipher hides it with the rest.
    check = _checksum(packet.spi.check, packet.kid, keys, head + counted + data)
    body = counted + check + data
    return head + (encipher(algorithm_of(packet.kic), keys.kic, body) if packet.spi.ciphered else body)


def read_command_head(octets: bytes) -> CommandHead:
    """Read the unprotected head of a command packet.

    Raises:
        MalformedPacketError: the octets are not a command packet.
    """
    if len(octets) < _COMMAND_HEAD_OCTETS or int.from_bytes(octets[:2], "big") != len(octets) - 2:
        raise MalformedPacketError("a command packet begins with its length", octets=len(octets))
    spi = SecurityParameters.decode(octets[3:5])
    head = CommandHead(spi=spi, kic=octets[5], kid=octets[6], tar=octets[7:10])
    if octets[2] != _COMMAND_HEADER_OCTETS + _check_octets(spi.check):
        raise MalformedPacketError("the header's length does not fit its checksum", length=octets[2])
    return head


def open_command(octets: bytes, keys: Keys) -> CommandPacket:
    """Decipher a command packet and verify its checksum, as far as SPI says that it has them.

    The counter is not compared with anything: the card that receives the packet does that.

    Raises:
        MalformedPacketError: the octets are not a command packet, or the enciphered part is not whole blocks.
        UnsupportedSecurityError: its check or algorithm is not implemented here.
        WrongChecksumError: an octet was changed, or the packet was made with other keys.
    """
    head = read_command_head(octets)
    body = octets[_COMMAND_HEAD_OCTETS:]
    if head.spi.ciphered:
        body = _decipher(head.kic, keys, body)
    counted, check, data = _cut(body, COUNTER_OCTETS + 1, _check_octets(head.spi.check))
    expected = _checksum(head.spi.check, head.kid, keys, octets[:_COMMAND_HEAD_OCTETS] + counted + data)
    if not same(check, expected):
        raise WrongChecksumError("the checksum of the command packet is wrong")
    return CommandPacket(
        spi=head.spi,
        kic=head.kic,
        kid=head.kid,
        tar=head.tar,
        counter=int.from_bytes(counted[:COUNTER_OCTETS], "big"),
        data=_without_padding(data, counted[COUNTER_OCTETS]),
    )


def encode_response(packet: ResponsePacket, spi: SecurityParameters, kic: int, kid: int, keys: Keys) -> bytes:
    """Return the octets of a response packet, protected as the command's SPI asked for.

    Args:
        packet: the answer.
        spi: the command's SPI; its ``por_`` fields say how the answer is protected.
        kic: the command's KIc octet.
        kid: the command's KID octet.
        keys: the card's keys.

    Raises:
        UnsupportedSecurityError, MalformedPacketError: as ``encode_command``.
    """
    check_octets = _check_octets(spi.por_check)
    clear = COUNTER_OCTETS + 2 + check_octets + len(packet.data)
    padding = -clear % algorithm_of(kic).block_octets if spi.por_ciphered else 0
    length = _RESPONSE_HEAD_OCTETS - 2 + clear + padding
    head = length.to_bytes(2, "big") + bytes([_RESPONSE_HEADER_OCTETS + check_octets]) + packet.tar
    counted = packet.counter.to_bytes(COUNTER_OCTETS, "big") + bytes([padding, packet.status])
    data = packet.data + bytes(padding)
    check = _checksum(spi.por_check, kid, keys, RESPONSE_UDH + head + counted + data)
    body = counted + check + data
    return head + (encipher(algorithm_of(kic), keys.kic, body) if spi.por_ciphered else body)


def open_response(octets: bytes, spi: SecurityParameters, kic: int, kid: int, keys: Keys) -> ResponsePacket:
    """Decipher a response packet and verify its checksum, as the command's SPI, KIc and KID asked for.

    Raises:
        MalformedPacketError: the octets are not a response packet, or not protected as SPI asked for.
        UnsupportedSecurityError: its check or algorithm is not implemented here.
        WrongChecksumError: an octet was changed, or the packet was made with other keys.
    """
    if len(octets) < _RESPONSE_HEAD_OCTETS or int.from_bytes(octets[:2], "big") != len(octets) - 2:
        raise MalformedPacketError("a response packet begins with its length", octets=len(octets))
    check_octets = _check_octets(spi.por_check)
    if octets[2] != _RESPONSE_HEADER_OCTETS + check_octets:
        raise MalformedPacketError("the answer is not protected as it was asked for", length=octets[2])
    body = octets[_RESPONSE_HEAD_OCTETS:]
    if spi.por_ciphered:
        body = _decipher(kic, keys, body)
    counted, check, data = _cut(body, COUNTER_OCTETS + 2, check_octets)
    covered = RESPONSE_UDH + octets[:_RESPONSE_HEAD_OCTETS] + counted + data
    if not same(check, _checksum(spi.por_check, kid, keys, covered)):
        raise WrongChecksumError("the checksum of the response packet is wrong")
    return ResponsePacket(
        tar=octets[3:6],
        counter=int.from_bytes(counted[:COUNTER_OCTETS], "big"),
        status=counted[COUNTER_OCTETS + 1],
        data=_without_padding(data, counted[COUNTER_OCTETS]),
    )


def read_unprotected_response(octets: bytes) -> ResponsePacket | None:
    """Read a response packet without any protection; None if it is protected or not a response packet.

    A card that could not verify the command answers like this. Such an answer is a hint and proves nothing.
    """
    plain = SecurityParameters.decode(bytes([0, 1]))
    try:
        return open_response(octets, plain, 0, 0, Keys(b"", b""))
    except MalformedPacketError:
        return None


def _check_octets(check: Check) -> int:
    if check is Check.NONE:
        return 0
    if check is Check.CRYPTOGRAPHIC:
        return CHECKSUM_OCTETS
    raise UnsupportedSecurityError("only cryptographic checksums are used here", check=check.name.lower())


def _checksum(check: Check, kid: int, keys: Keys, octets: bytes) -> bytes:
    return b"" if check is Check.NONE else checksum(algorithm_of(kid), keys.kid, octets)


def _decipher(kic: int, keys: Keys, body: bytes) -> bytes:
    algorithm = algorithm_of(kic)
    if not body or len(body) % algorithm.block_octets:
        raise MalformedPacketError("the enciphered part is not a whole number of blocks", octets=len(body))
    return decipher(algorithm, keys.kic, body)


def _cut(body: bytes, counted_octets: int, check_octets: int) -> tuple[bytes, bytes, bytes]:
    """Split the plain part of a packet into counter fields, checksum and padded data."""
    data_offset = counted_octets + check_octets
    if len(body) < data_offset:
        raise MalformedPacketError("a packet is cut short", octets=len(body))
    return body[:counted_octets], body[counted_octets:data_offset], body[data_offset:]


def _without_padding(data: bytes, padding: int) -> bytes:
    if padding > len(data):
        raise MalformedPacketError("a packet has more padding than content", padding=padding)
    return data[: len(data) - padding]

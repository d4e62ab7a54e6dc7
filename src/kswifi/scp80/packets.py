"""Command and response packets (TS 102 225, 5; TS 31.115, 4): headers, counters, checksums, ciphering.

A packet begins with its length here, as it lies behind the user data header of an SMS.
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
"""The user data header of an answer, which its checksum covers (TS 31.115, 4.4)."""

_COMMAND_HEAD_OCTETS: Final = 10  # CPL, CHL, SPI, KIc, KID, TAR
_COMMAND_HEADER_OCTETS: Final = 13  # what CHL counts, without a checksum
_RESPONSE_HEAD_OCTETS: Final = 6  # RPL, RHL, TAR
_RESPONSE_HEADER_OCTETS: Final = 10  # what RHL counts, without a checksum
_PACKET_MAX_OCTETS: Final = 0xFFFF


class ResponseStatus(IntEnum):
    """What a card says of a command packet (TS 102 225, table 5; TS 31.115, 7)."""

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
    """The keys of one key set: for ciphering and for checksums."""

    kic: bytes = field(repr=False)
    kid: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPacket:
    """A command packet in the clear; ``kic`` and ``kid`` are the octets that name keys and algorithms."""

    spi: SecurityParameters
    kic: int
    kid: int
    tar: bytes
    counter: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandHead:
    """What a command packet says of itself before a key is known: nothing of it is verified."""

    spi: SecurityParameters
    kic: int
    kid: int
    tar: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePacket:
    """A response packet in the clear; ``status`` may be a number that no specification names."""

    tar: bytes
    counter: int
    status: int
    data: bytes


def encode_command(packet: CommandPacket, keys: Keys) -> bytes:
    """Return the secured packet.

    Raises:
        UnsupportedSecurityError: SPI, KIc or KID ask for what is not here.
        MalformedPacketError: a field does not fit.
    """
    if not 0 <= packet.counter <= COUNTER_MAX or len(packet.tar) != TAR_OCTETS:
        raise MalformedPacketError("a counter has five octets, a TAR three", counter=packet.counter)
    check_octets = _check_octets(packet.spi.check)
    clear = COUNTER_OCTETS + 1 + check_octets + len(packet.data)
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
    check = _checksum(packet.spi.check, packet.kid, keys, head + counted + data)
    body = counted + check + data
    return head + (encipher(algorithm_of(packet.kic), keys.kic, body) if packet.spi.ciphered else body)


def read_command_head(octets: bytes) -> CommandHead:
    """Return what a packet says before any key.

    Raises:
        MalformedPacketError: no command packet.
    """
    if len(octets) < _COMMAND_HEAD_OCTETS or int.from_bytes(octets[:2], "big") != len(octets) - 2:
        raise MalformedPacketError("a command packet begins with its length", octets=len(octets))
    spi = SecurityParameters.decode(octets[3:5])
    head = CommandHead(spi=spi, kic=octets[5], kid=octets[6], tar=octets[7:10])
    if octets[2] != _COMMAND_HEADER_OCTETS + _check_octets(spi.check):
        raise MalformedPacketError("the header's length does not fit its checksum", length=octets[2])
    return head


def open_command(octets: bytes, keys: Keys) -> CommandPacket:
    """Return a command packet whose checksum, if SPI says that it has one, is right.

    Raises:
        MalformedPacketError: no command packet, or its ciphered part is none of whole blocks.
        UnsupportedSecurityError: its algorithms are not here.
        WrongChecksumError: an octet was changed, or the keys are others.
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
    """Return the answer, protected as the command's SPI asked for.

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
    """Return an answer to a command whose SPI, KIc and KID are given; its checksum, if asked for, is right.

    Raises:
        MalformedPacketError: no response packet, or not protected as SPI asked for.
        UnsupportedSecurityError: its algorithms are not here.
        WrongChecksumError: an octet was changed, or the keys are others.
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
    """Return an answer that came without any protection, None where it is protected or none at all.

    A card that could not verify a command answers so: it is a hint of what to do, and proves nothing.
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
        raise MalformedPacketError("what is ciphered is not of whole blocks", octets=len(body))
    return decipher(algorithm, keys.kic, body)


def _cut(body: bytes, counted_octets: int, check_octets: int) -> tuple[bytes, bytes, bytes]:
    data_offset = counted_octets + check_octets
    if len(body) < data_offset:
        raise MalformedPacketError("a packet is cut short", octets=len(body))
    return body[:counted_octets], body[counted_octets:data_offset], body[data_offset:]


def _without_padding(data: bytes, padding: int) -> bytes:
    if padding > len(data):
        raise MalformedPacketError("a packet has more padding than content", padding=padding)
    return data[: len(data) - padding]

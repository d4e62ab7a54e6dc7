"""Secured packets (SCP80) on the card: check, count, run the script, prove receipt (TS 102 225, TS 102 226).

Checks run in this order: TAR, minimum security level, keys, cryptographic checksum, counter. Until the
checksum has been verified, an answer is sent without protection, because the sender is not authenticated. The
counter and all changes of the script are made durable in one write before the answer: a packet interrupted by
power loss was processed completely or not at all.
"""

from collections.abc import Callable
from typing import Final

from kswifi.euicc.apdu import Command, Status, StatusError, parse_command
from kswifi.euicc.channel import CardSession, Channel
from kswifi.euicc.files import filesystem
from kswifi.euicc.state import Profile, RemoteManagement
from kswifi.rsp.saip.applications import KEY_TYPE_AES, KEY_TYPE_DES, KIC_IDENTIFIER, KID_IDENTIFIER
from kswifi.scp80 import scripts, sms
from kswifi.scp80.errors import MalformedPacketError, SecuredPacketError, UnsupportedSecurityError
from kswifi.scp80.packets import (
    COUNTER_MAX,
    CommandHead,
    CommandPacket,
    Keys,
    ResponsePacket,
    ResponseStatus,
    encode_response,
    open_command,
    read_command_head,
)
from kswifi.scp80.security import (
    Algorithm,
    CounterRule,
    ProofOfReceipt,
    SecurityParameters,
    algorithm_of,
    key_version_of,
)

_SELECT: Final = 0xA4
_UNPROTECTED: Final = SecurityParameters.decode(bytes([0, ProofOfReceipt.ALWAYS]))
_NO_KEYS: Final = Keys(b"", b"")
_COMMANDS: Final[dict[int, Callable[[CardSession, Channel, Command], bytes]]] = {
    _SELECT: filesystem.select,
    0xB0: filesystem.read_binary,
    0xB2: filesystem.read_record,
    0xD6: filesystem.update_binary,
    0xDC: filesystem.update_record,
}


class _RefusedError(Exception):
    """The packet is not processed; the PoR contains only this status."""

    def __init__(self, status: ResponseStatus) -> None:
        super().__init__(status.name)
        self.status = status


def run(session: CardSession, profile: Profile, octets: bytes) -> bytes:
    """Process a command packet; return the user data of its delivery report, empty if no PoR was requested.

    Raises:
        MalformedPacketError, UnsupportedSecurityError: not a command packet that the card can answer.
        StatusError: the changes could not be stored; none of them took effect.
    """
    head = read_command_head(octets)
    try:
        management, keys = _find(profile, head)
        packet = _open(octets, keys)
    except _RefusedError as refusal:
        return _report(head, refusal.status, 0, b"", _UNPROTECTED, _NO_KEYS)
    with session.together():
        status, data = _process(session, profile, management, packet)
    return _report(head, status, packet.counter, data, head.spi, keys)


def _find(profile: Profile, head: CommandHead) -> tuple[RemoteManagement, Keys]:
    management = next((it for it in profile.remote_management if head.tar in it.tars), None)
    if management is None:
        raise _RefusedError(ResponseStatus.TAR_UNKNOWN)
    if not head.spi.reaches(management.minimum_security_level):
        raise _RefusedError(ResponseStatus.INSUFFICIENT_SECURITY_LEVEL)
    return management, Keys(_key(profile, head.kic, KIC_IDENTIFIER), _key(profile, head.kid, KID_IDENTIFIER))


def _key(profile: Profile, octet: int, identifier: int) -> bytes:
    """Return the key that KIc or KID selects; a key of another kind than the algorithm is not accepted."""
    try:
        wanted = KEY_TYPE_AES if algorithm_of(octet) is Algorithm.AES else KEY_TYPE_DES
    except UnsupportedSecurityError:
        raise _RefusedError(ResponseStatus.UNIDENTIFIED_SECURITY_ERROR) from None
    for key in profile.keys:
        if (key.version, key.identifier, key.key_type) == (key_version_of(octet), identifier, wanted):
            return key.value
    raise _RefusedError(ResponseStatus.UNIDENTIFIED_SECURITY_ERROR)


def _open(octets: bytes, keys: Keys) -> CommandPacket:
    try:
        return open_command(octets, keys)
    except MalformedPacketError:
        raise _RefusedError(ResponseStatus.CIPHERING_ERROR) from None
    except UnsupportedSecurityError:
        raise _RefusedError(ResponseStatus.UNIDENTIFIED_SECURITY_ERROR) from None
    except SecuredPacketError:
        raise _RefusedError(ResponseStatus.CHECKSUM_FAILED) from None


def _process(
    session: CardSession, profile: Profile, management: RemoteManagement, packet: CommandPacket
) -> tuple[ResponseStatus, bytes]:
    """Count the packet, then run its script."""
    status = _count(profile, packet)
    if status is not ResponseStatus.POR_OK:
        return status, b""
    try:
        script = scripts.read_script(packet.data)
    except MalformedPacketError:
        return status, scripts.encode_answer([(b"", Status.WRONG_LENGTH)], expanded=packet.data[:1] == b"\xaa")
    channel = _channel(profile, management)
    answers: list[tuple[bytes, int]] = []
    for command in script.commands:
        answers.append(_run(session, channel, command))
        if answers[-1][1] != Status.OK and answers[-1][1] >> 8 != 0x61:
            break  # TS 102 226, 5.1.2: the first error ends the script
    return status, scripts.encode_answer(answers, expanded=script.expanded)


def _count(profile: Profile, packet: CommandPacket) -> ResponseStatus:
    """Accept a counter higher than the last one of this key set, and store it (TS 102 225, 5.1.4)."""
    rule = packet.spi.counter
    if rule in (CounterRule.NONE, CounterRule.NOT_CHECKED):
        return ResponseStatus.POR_OK
    key_set = key_version_of(packet.kid)
    known = profile.packet_counters.get(key_set, 0)
    if known >= COUNTER_MAX:
        return ResponseStatus.COUNTER_BLOCKED
    if packet.counter <= known:
        return ResponseStatus.COUNTER_LOW
    if rule is CounterRule.ONE_HIGHER and packet.counter != known + 1:
        return ResponseStatus.COUNTER_HIGH
    profile.packet_counters[key_set] = packet.counter
    return ResponseStatus.POR_OK


def _channel(profile: Profile, management: RemoteManagement) -> Channel:
    adf = next((it for it in profile.mf.directories if it.aid == management.adf_aid), None)
    return Channel(path=[profile.mf] if adf is None else [profile.mf, adf], remote=management)


def _run(session: CardSession, channel: Channel, octets: bytes) -> tuple[bytes, int]:
    try:
        command = parse_command(octets)
        data = _handler(command)(session, channel, command)
    except StatusError as refusal:
        return b"", refusal.status
    if command.ins == _SELECT and data:
        return b"", 0x6100 | len(data) & 0xFF
    return data, Status.OK


def _handler(command: Command) -> Callable[[CardSession, Channel, Command], bytes]:
    handler = _COMMANDS.get(command.ins)
    if handler is None or command.proprietary or command.chained:
        raise StatusError(Status.INS_NOT_SUPPORTED)
    if command.ins == _SELECT and command.p1 == 0x04:
        raise StatusError(Status.INCORRECT_P1_P2)  # a script cannot select another application
    return handler


def _report(
    head: CommandHead,
    status: ResponseStatus,
    counter: int,
    data: bytes,
    spi: SecurityParameters,
    keys: Keys,
) -> bytes:
    wanted = head.spi.por
    if wanted is ProofOfReceipt.NEVER or (wanted is ProofOfReceipt.ON_ERROR and status is ResponseStatus.POR_OK):
        return b""
    answer = ResponsePacket(tar=head.tar, counter=counter, status=status, data=data)
    return sms.report(encode_response(answer, spi, head.kic, head.kid, keys))

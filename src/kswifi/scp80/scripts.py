"""Remote file management scripts (TS 102 226, 5): several command APDUs in one packet, and the card's answer.

In the compact form the commands follow each other without a wrapper; the answer holds how many ran, and status and
data of the last one. In the expanded form each command is in a TLV data object, and the answer holds status and
data of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kswifi.rsp import tlv
from kswifi.scp80.errors import MalformedPacketError

COMMANDS_MAX: Final = 32
_HEADER_OCTETS: Final = 5
_READING: Final = (0xB0, 0xB2, 0xC0, 0xF2)  # READ BINARY, READ RECORD, GET RESPONSE, STATUS: P3 is Le
_COMMAND_SCRIPT: Final = 0xAA
_COMMAND_SCRIPT_INDEFINITE: Final = 0xAE
_RESPONSE_SCRIPT: Final = 0xAB
_COMMAND: Final = 0x22
_ANSWER: Final = 0x23
_COUNT: Final = 0x80


@dataclass(frozen=True, slots=True)
class Script:
    """The command APDUs of a script; ``expanded`` chooses its form, which is also that of the answer."""

    commands: tuple[bytes, ...]
    expanded: bool = False

    def encode(self) -> bytes:
        """Return the secured data of a command packet."""
        if not self.expanded:
            return b"".join(self.commands)
        return tlv.encode(_COMMAND_SCRIPT, *(tlv.encode(_COMMAND, command) for command in self.commands))


@dataclass(frozen=True, slots=True)
class ScriptAnswer:
    """The card's answer to a script.

    Attributes:
        executed: how many commands ran; the card stops after the first that fails.
        status: the status word of the last command that ran.
        data: the data of the last command that ran.
        answers: data and status word of each command, in the expanded form only.
    """

    executed: int
    status: int
    data: bytes
    answers: tuple[tuple[bytes, int], ...] = ()


def read_script(octets: bytes) -> Script:
    """Read a script of either form; the first octet of the expanded form tells them apart.

    Raises:
        MalformedPacketError: the script is truncated, empty, has too many commands or an indefinite length.
    """
    if octets[:1] == bytes([_COMMAND_SCRIPT]):
        script = Script(_expanded(octets), expanded=True)
    elif octets[:1] == bytes([_COMMAND_SCRIPT_INDEFINITE]):
        raise MalformedPacketError("a script of indefinite length is not read here")
    else:
        script = Script(_compact(octets))
    if not 1 <= len(script.commands) <= COMMANDS_MAX:
        raise MalformedPacketError(f"a script has 1 to {COMMANDS_MAX} commands", commands=len(script.commands))
    return script


def encode_answer(answers: Sequence[tuple[bytes, int]], *, expanded: bool) -> bytes:
    """Return the card's answer to a script (TS 102 226, 5.1.2 and 5.2.2).

    Args:
        answers: data and status word of each command that ran; at least one.
        expanded: whether the script was of the expanded form.
    """
    if not expanded:
        data, status = answers[-1]
        return bytes([len(answers)]) + status.to_bytes(2, "big") + data
    each = (tlv.encode(_ANSWER, data + status.to_bytes(2, "big")) for data, status in answers)
    return tlv.encode(_RESPONSE_SCRIPT, tlv.encode(_COUNT, bytes([len(answers)])), *each)


def read_answer(octets: bytes, *, expanded: bool) -> ScriptAnswer:
    """Read the card's answer to a script.

    Raises:
        MalformedPacketError: it is not an answer of the given form.
    """
    if not expanded:
        if len(octets) < 3:
            raise MalformedPacketError("a script's answer is cut short", octets=len(octets))
        return ScriptAnswer(octets[0], int.from_bytes(octets[1:3], "big"), octets[3:])
    try:
        items = list(tlv.walk(tlv.only(octets, _RESPONSE_SCRIPT).value))
    except tlv.TlvError as error:
        raise MalformedPacketError(f"a script's answer is malformed: {error.message}") from None
    answers = tuple(
        (item.value[:-2], int.from_bytes(item.value[-2:], "big"))
        for item in items
        if item.tag == _ANSWER and len(item.value) >= 2
    )
    count = next((item.value for item in items if item.tag == _COUNT), b"")
    if len(count) != 1 or not answers:
        raise MalformedPacketError("a script's answer tells how many commands ran, and what they answered")
    return ScriptAnswer(count[0], answers[-1][1], answers[-1][0], answers)


def _compact(octets: bytes) -> tuple[bytes, ...]:
    commands = []
    while octets:
        if len(octets) < _HEADER_OCTETS - 1:
            raise MalformedPacketError("a command of the script is cut short")
        length = octets[4:5]
        # P3 is the length of the command's data (Lc), or for a reading command the length of its answer (Le), after
        # which the next command follows at once. Only the instruction tells which.
        end = _HEADER_OCTETS + (length[0] if length and octets[1] not in _READING else 0)
        if len(octets) < end:
            raise MalformedPacketError("a command of the script is cut short")
        commands.append(octets[:end])
        octets = octets[end:]
    return tuple(commands)


def _expanded(octets: bytes) -> tuple[bytes, ...]:
    try:
        items = list(tlv.walk(tlv.only(octets, _COMMAND_SCRIPT).value))
    except tlv.TlvError as error:
        raise MalformedPacketError(f"a script is malformed: {error.message}") from None
    if any(item.tag != _COMMAND for item in items):
        raise MalformedPacketError("a script holds something other than commands")
    return tuple(item.value for item in items)

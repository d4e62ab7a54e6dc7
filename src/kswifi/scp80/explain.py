"""Describe a secured packet in words. It may be given as ENVELOPE, SMS, user data, or as the packet itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kswifi.scp80 import scripts, sms
from kswifi.scp80.errors import MalformedPacketError, UnsupportedSecurityError, WrongChecksumError
from kswifi.scp80.packets import (
    RESPONSE_UDH,
    Keys,
    ResponseStatus,
    open_command,
    open_response,
    read_command_head,
    read_unprotected_response,
)
from kswifi.scp80.security import Check, SecurityParameters, algorithm_of, key_version_of

_ENVELOPES = (bytes.fromhex("80C20000"), bytes.fromhex("A0C20000"))
_STATUS_WORD_OCTETS = 2


def explain(octets: bytes, keys: Keys | None = None, command: bytes | None = None) -> list[str]:
    """Describe octets line by line, from the outermost layer inwards.

    Args:
        octets: a command or response packet, alone or in its ENVELOPE commands, SMS or user data; or a status word.
        keys: the card's keys. With them the checksum is verified and enciphered content is shown.
        command: the command packet that a response answers, or the ENVELOPE commands that carried it. A response
            does not say how it is protected; the command's SPI does.

    Raises:
        MalformedPacketError: the octets are none of these.
    """
    return list(_explain(octets, keys, command))


def _explain(octets: bytes, keys: Keys | None, command: bytes | None) -> Iterator[str]:
    if len(octets) == _STATUS_WORD_OCTETS:
        yield f"status word {octets.hex().upper()}, and no proof"
        return
    if octets.startswith(RESPONSE_UDH):
        yield from _answer(octets[len(RESPONSE_UDH) :], keys, command)
        return
    messages = list(_messages(octets))
    for message in messages:
        yield from message.words
    packet = _packet(messages, octets)
    if packet is None:
        yield "the packet is in several messages: give all their commands in a row, or the packet itself, to see it"
    else:
        yield from _command(packet, keys)


def _packet(messages: Sequence["_Message"], octets: bytes) -> bytes | None:
    """Return the packet that the messages carry; None if some are missing; ``octets`` if there are no messages."""
    segments = [message.segment for message in messages if message.segment is not None]
    if not segments or len(segments) < len(messages):
        return octets
    return None if len(segments) < segments[0].part[1] else sms.join(segments)


@dataclass(frozen=True, slots=True)
class _Message:
    """A carrier of a packet or of a part of it: its description, and its segment unless it is the bare packet."""

    words: tuple[str, ...]
    segment: sms.Segment | None


def _messages(octets: bytes) -> Iterator[_Message]:
    """Read one message, or several ENVELOPE commands one after the other."""
    while octets[:4] in _ENVELOPES:
        length = octets[4] if len(octets) > 4 else 0
        data, rest = octets[5 : 5 + length], octets[5 + length :]
        yield _message(data, f"ENVELOPE, {5 + len(data)} octets")
        if not rest:
            return
        octets = rest
    yield _message(octets)


def _message(octets: bytes, *words: str) -> _Message:
    if octets[:1] == b"\xd1":
        octets = sms.read_envelope(octets)
        words = (*words, f"SMS-PP DOWNLOAD, network to card, with a message of {len(octets)} octets")
    segment = _segment(octets)
    if segment is None:
        return _Message(words, None)
    reference, count, number = segment.part
    place = "" if count == 1 else f": part {number} of {count}, reference {reference}"
    return _Message((*words, f"SMS-DELIVER with {len(segment.octets)} octets of data{place}"), segment)


def _segment(octets: bytes) -> sms.Segment | None:
    for read in (sms.read_deliver, sms.read_user_data):
        try:
            segment = read(octets)
        except MalformedPacketError:
            continue
        if sms.COMMAND_PACKET in segment.elements or segment.part[1] > 1:
            return segment
    return None


def _command(octets: bytes, keys: Keys | None) -> Iterator[str]:
    head = read_command_head(octets)
    yield f"command packet, {len(octets)} octets"
    yield from _security(head.spi)
    yield f"KIc {head.kic:02X}: {_key(head.kic)}; KID {head.kid:02X}: {_key(head.kid)}"
    yield f"TAR {head.tar.hex().upper()}"
    if keys is None and (head.spi.ciphered or head.spi.check is not Check.NONE):
        if head.spi.ciphered:
            yield "counter and content are ciphered: give the keys to see them"
            return
        yield f"counter {int.from_bytes(octets[10:15], 'big')}; its checksum is not verified without a key"
        yield from _script(octets[16 + (8 if head.spi.check is Check.CRYPTOGRAPHIC else 0) :])
        return
    try:
        packet = open_command(octets, keys or Keys(b"", b""))
    except WrongChecksumError:
        yield "the checksum is WRONG: an octet was changed, or these are other keys"
        return
    yield f"counter {packet.counter}" + ("; the checksum is right" if head.spi.check is not Check.NONE else "")
    yield from _script(packet.data)


def _script(data: bytes) -> Iterator[str]:
    try:
        script = scripts.read_script(data)
    except MalformedPacketError as error:
        yield f"content {data.hex().upper()} ({error.message})"
        return
    yield f"{'expanded' if script.expanded else 'compact'} script with {len(script.commands)} commands"
    for command in script.commands:
        yield f"  {command.hex().upper()}"


def _answer(octets: bytes, keys: Keys | None, command: bytes | None) -> Iterator[str]:
    if len(octets) < 6:
        raise MalformedPacketError("a response packet is cut short", octets=len(octets))
    length = 2 + int.from_bytes(octets[:2], "big")
    octets, status_word = octets[:length], octets[length:]
    yield f"response packet, {len(octets)} octets, TAR {octets[3:6].hex().upper()}"
    if len(status_word) == _STATUS_WORD_OCTETS:  # a phone appends it when it delivers the answer to the server
        yield f"status word {status_word.hex().upper()}"
    elif status_word:
        raise MalformedPacketError("more follows a response packet than a status word", octets=len(status_word))
    plain = read_unprotected_response(octets)
    expanded = False
    if plain is not None:
        yield "without any protection: it proves nothing"
        packet = plain
    elif keys is None or command is None:
        yield "it is protected: give the keys and the command that it answers to see it"
        return
    else:
        command = _packet(list(_messages(command)), command) or command
        head = read_command_head(command)
        expanded = open_command(command, keys).data[:1] == b"\xaa"
        try:
            packet = open_response(octets, head.spi, head.kic, head.kid, keys)
        except WrongChecksumError:
            yield "the checksum is WRONG: an octet was changed, or these are other keys"
            return
        yield "the checksum is right"
    yield f"counter {packet.counter}, status {packet.status:02X}: {status_words(packet.status)}"
    if packet.data:
        answer = scripts.read_answer(packet.data, expanded=expanded)
        said = f"{answer.status:04X} {answer.data.hex().upper()}".rstrip()
        yield f"{answer.executed} commands ran, the last answered {said}"


def status_words(status: int) -> str:
    """Return the name of a response status (TS 102 225, table 5) in words."""
    try:
        return ResponseStatus(status).name.lower().replace("_", " ")
    except ValueError:
        return "unknown to the specification"


def _security(spi: SecurityParameters) -> Iterator[str]:
    checks = {
        Check.NONE: "no checksum",
        Check.REDUNDANCY: "a redundancy check",
        Check.CRYPTOGRAPHIC: "a cryptographic checksum",
        Check.SIGNATURE: "a signature",
    }
    ciphered = {True: "ciphered", False: "in the clear"}
    yield (
        f"SPI {spi.encode().hex().upper()}: {checks[spi.check]}, {ciphered[spi.ciphered]}, "
        f"counter {spi.counter.name.lower().replace('_', ' ')}"
    )
    yield (
        f"  proof of receipt {spi.por.name.lower().replace('_', ' ')}: {checks[spi.por_check]}, "
        f"{ciphered[spi.por_ciphered]}, by {'SMS-SUBMIT' if spi.por_by_submit else 'SMS-DELIVER-REPORT'}"
    )


def _key(octet: int) -> str:
    try:
        algorithm = algorithm_of(octet).name.lower().replace("_", " ")
    except UnsupportedSecurityError:
        algorithm = "an algorithm that is not used here"
    return f"key set {key_version_of(octet)}, {algorithm}"

"""The messages of the attach wire: one JSON object per line, named as in TS 24.301 (docs/access-wire.md)."""

import asyncio
import json
from typing import Any, Final

from kswifi.kernel.errors import KswifiError

LONGEST_LINE_OCTETS: Final = 4096


class AttachWireError(KswifiError):
    """The peer sent a message that violates the attach wire's format."""

    code = "attach_wire"


def encode_line(message: dict[str, Any]) -> bytes:
    """Encode a message as one line, with its line feed."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode_line(line: bytes) -> dict[str, Any]:
    """Decode one line.

    Raises:
        AttachWireError: the line is too long, not JSON, or not an object with a type.
    """
    if len(line) > LONGEST_LINE_OCTETS:
        raise AttachWireError(f"a line has at most {LONGEST_LINE_OCTETS} octets")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise AttachWireError("a line is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise AttachWireError("a line is not an object with a type")
    return message


def octets_field(message: dict[str, Any], name: str, length: int | None = None) -> bytes:
    """Return the octets of a field of hexadecimal digits.

    Args:
        message: a decoded message.
        name: the field.
        length: the required number of octets; None for any.

    Raises:
        AttachWireError: the field is missing, not hexadecimal, or has a wrong length.
    """
    value = message.get(name)
    try:
        octets = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        octets = None
    if octets is None or (length is not None and len(octets) != length):
        raise AttachWireError(f"{message['type']} needs {name} in hexadecimal digits of the right length")
    return octets


def text_field(message: dict[str, Any], name: str) -> str:
    """Return a text field.

    Raises:
        AttachWireError: the field is missing or not text.
    """
    value = message.get(name)
    if not isinstance(value, str):
        raise AttachWireError(f"{message['type']} needs {name} as text")
    return value


async def read_message(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Read the next message; None at the end of the stream.

    Raises:
        AttachWireError: the line is malformed.
    """
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise AttachWireError(f"a line has at most {LONGEST_LINE_OCTETS} octets") from None
    return decode_line(line)

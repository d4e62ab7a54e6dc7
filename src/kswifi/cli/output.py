"""The output streams of the command line, whatever their encoding."""

import codecs
import io
import sys
from typing import Final

_HANDLER: Final = "kswifi_output"
_NAIRA: Final = "₦"


def write_any_text() -> None:
    """Let standard output and error accept any text: what their encoding lacks is replaced.

    The sign of the naira becomes "NGN "; every other character becomes "?". An octet of a file name that is not
    UTF-8, which Python holds as a lone surrogate (PEP 383), is written as it is.
    """
    codecs.register_error(_HANDLER, _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _replacement(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return b"".join(map(_octets, error.object[error.start : error.end])), error.end


def _octets(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00])
    return b"NGN " if character == _NAIRA else b"?"

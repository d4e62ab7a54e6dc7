"""The output streams of the command line, whatever their encoding, and what a child process says."""

import codecs
import io
import json
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer

AsChild = Annotated[bool, typer.Option("--as-child", hidden=True, help="Say ready as JSON; stop at end of input.")]

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


def ready(as_child: bool, name: str) -> Callable[[Mapping[str, Any]], None]:
    """Return a function that prints the addresses of a process that serves: as JSON for a parent process."""

    def say(what: Mapping[str, Any]) -> None:
        words = (
            json.dumps(what)
            if as_child
            else f"the {name} is ready: " + ", ".join(f"{k} {v}" for k, v in what.items())
        )
        print(words, flush=True)

    return say


def end_of_input(as_child: bool) -> int | None:
    """Return the file descriptor whose end of file means that the parent process has ended."""
    return sys.stdin.fileno() if as_child else None


def _replacement(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return b"".join(map(_octets, error.object[error.start : error.end])), error.end


def _octets(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00])
    return b"NGN " if character == _NAIRA else b"?"

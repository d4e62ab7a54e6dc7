"""A card on standard input and output, with the APDU protocol of lpac: one JSON object per line.

It lets lpac, an independent LPA, drive this card. A request is
``{"type":"apdu","payload":{"func":F,"param":HEX}}``, its answer
``{"type":"apdu","payload":{"ecode":N,"data":HEX}}``. Lines of other types are lpac's own output. A line that
cannot be parsed gets an answer with ecode -1, because the LPA waits for one.
"""

import json
from collections.abc import Callable
from typing import IO, Any, Final

from kswifi.euicc.card import Euicc

LINE_MAX_CHARACTERS: Final = 65_536
_REFUSED: Final = -1
_OK: Final = b"\x90\x00"
_MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def serve_stdio(card: Euicc, source: IO[str], sink: IO[str], aside: Callable[[str], None]) -> None:
    """Answer requests until the input ends. ``aside`` gets the LPA's own output and malformed lines.

    Each answer is flushed, because the LPA waits for it.
    """
    while line := _line(source):
        try:
            request = _request(line)
        except _MALFORMED:
            aside(line.rstrip("\n"))
            code, data = _REFUSED, None
        else:
            if request is None:
                aside(line.rstrip("\n"))
                continue
            code, data = _answer(card, *request)
        payload: dict[str, Any] = {"ecode": code}
        if data is not None:
            payload["data"] = data.hex().upper()
        sink.write(json.dumps({"type": "apdu", "payload": payload}) + "\n")
        sink.flush()


def _line(source: IO[str]) -> str:
    """Return the next line, cut to the limit; the rest of a longer line is skipped, so that it gets one answer."""
    line = source.readline(LINE_MAX_CHARACTERS)
    rest = line
    while rest and not rest.endswith("\n"):
        rest = source.readline(LINE_MAX_CHARACTERS)
    return line


def _request(line: str) -> tuple[str, bytes] | None:
    """Return the function and its parameter; None for a line of another type.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RecursionError: the line is too long or malformed.
    """
    if len(line) == LINE_MAX_CHARACTERS and not line.endswith("\n"):
        raise ValueError("a line is too long")
    message = json.loads(line)
    if message["type"] != "apdu":
        return None
    payload = message["payload"]
    return str(payload["func"]), bytes.fromhex(payload.get("param") or "")


def _answer(card: Euicc, function: str, parameter: bytes) -> tuple[int, bytes | None]:
    match function:
        case "connect":
            card.reset()
            return 0, None
        case "disconnect":
            return 0, None
        case "logic_channel_open":
            return _open_channel(card, parameter), None
        case "logic_channel_close" if len(parameter) == 1:
            closed = card.transmit(bytes([0x00, 0x70, 0x80, parameter[0]]))
            return (0 if closed == _OK else _REFUSED), None
        case "transmit":
            return 0, card.transmit(parameter)
    return _REFUSED, None


def _open_channel(card: Euicc, aid: bytes) -> int:
    """Open a logical channel and select an application on it; return its number."""
    if not 5 <= len(aid) <= 16:
        return _REFUSED
    opened = card.transmit(bytes.fromhex("0070000001"))
    if opened[-2:] != _OK:
        return _REFUSED
    channel = opened[0]
    selected = card.transmit(bytes([channel, 0xA4, 0x04, 0x00, len(aid)]) + aid)
    if selected[-2:] != _OK and selected[-2] != 0x61:
        card.transmit(bytes([0x00, 0x70, 0x80, channel]))
        return _REFUSED
    return channel

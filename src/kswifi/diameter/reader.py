"""Read the AVPs of a message or a group strictly: refuse wrong lengths, unknown mandatory AVPs and repetitions."""

from struct import Struct
from typing import Any, Final, TypeVar

from kswifi.diameter.avp import FLAG_MANDATORY, FLAG_VENDOR, MAX_FAILED_AVP_OCTETS, Avp, Grouped
from kswifi.diameter.constants import ResultCode
from kswifi.diameter.dictionary import DICTIONARY
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import HEADER_OCTETS

T = TypeVar("T")

_AVP_HEADER: Final = Struct("!II")
_MAX_CARRIED_OCTETS: Final = 8192


class AvpSet:
    """AVPs by definition: the first of each, and the repetitions in their order."""

    __slots__ = ("_again", "_first")

    def __init__(self, first: dict[int, bytes], again: list[tuple[int, bytes]]) -> None:
        self._first = first
        self._again = again

    def need(self, avp: Avp[T]) -> T:
        """Return the value of an AVP that must occur exactly once.

        Raises:
            DiameterError: 5005 it is missing; 5009 it occurs twice; 5004 or 5014 its value is wrong.
        """
        octets = self._first.get(avp.key)
        if octets is None:
            raise DiameterError(ResultCode.MISSING_AVP, f"{avp.name} is missing", avp.example())
        if self._again:
            self._check_single(avp)
        return avp.decode(octets)

    def get(self, avp: Avp[T]) -> T | None:
        """Return the value of an AVP that may occur once, or None; raises as ``need`` does."""
        octets = self._first.get(avp.key)
        if octets is None:
            return None
        if self._again:
            self._check_single(avp)
        return avp.decode(octets)

    def every(self, avp: Avp[T]) -> tuple[T, ...]:
        """Return the values of an AVP that may occur any number of times."""
        octets = self._first.get(avp.key)
        if octets is None:
            return ()
        if not self._again:
            return (avp.decode(octets),)
        key = avp.key
        return (avp.decode(octets), *(avp.decode(more) for found, more in self._again if found == key))

    def has(self, avp: Avp[Any]) -> bool:
        """Return whether the AVP is present."""
        return avp.key in self._first

    def _check_single(self, avp: Avp[Any]) -> None:
        for key, octets in self._again:
            if key == avp.key:
                raise DiameterError(
                    ResultCode.AVP_OCCURS_TOO_MANY_TIMES, f"{avp.name} comes twice", avp.failed(octets)
                )


def read_message(message: bytes) -> AvpSet:
    """Read the AVPs of a complete message; raises as ``read_avps`` does."""
    return read_avps(message, HEADER_OCTETS)


def read_avps(data: bytes, offset: int = 0) -> AvpSet:
    """Read the AVPs that fill ``data`` from ``offset`` on; the values of groups stay octets.

    Raises:
        DiameterError: 5014 a length is wrong; 5001 an AVP with the M bit is not in the dictionary.
    """
    first: dict[int, bytes] = {}
    again: list[tuple[int, bytes]] = []
    unpack = _AVP_HEADER.unpack_from
    known = DICTIONARY
    end = len(data)
    while offset < end:
        if end - offset < 8:
            raise _cut_short(data, offset)
        code, flags_length = unpack(data, offset)
        length = flags_length & 0xFFFFFF
        value = offset + 8
        if flags_length & FLAG_VENDOR << 24:
            if end - offset < 12:
                raise _cut_short(data, offset)
            code |= int.from_bytes(data[value : value + 4], "big") << 32
            value += 4
        stop = offset + length
        behind = (
            stop + 3
        ) & ~3  # AVPs are padded to four octets; a group's length includes the padding of its AVPs
        if stop < value or stop > end:
            raise _cut_short(data, offset)
        if code not in known and flags_length & FLAG_MANDATORY << 24:
            raise _unknown(data, offset, stop, code)
        if code in first:
            again.append((code, data[value:stop]))
        else:
            first[code] = data[value:stop]
        offset = behind
    return AvpSet(first, again)


def avps_within(message: bytes, offset: int, end: int) -> list[tuple[int, int, int, int]]:
    """Return the positions of the AVPs of one level of a message.

    Each as (key, start of the value, end of the value, end of the padding). For a message that was already read, or
    made here: nothing is checked.
    """
    found = []
    while offset < end:
        code, flags_length = _AVP_HEADER.unpack_from(message, offset)
        start, stop = offset + 8, offset + (flags_length & 0xFFFFFF)
        if flags_length & FLAG_VENDOR << 24:
            code |= int.from_bytes(message[start : start + 4], "big") << 32
            start += 4
        offset = min(stop + 3 & ~3, end)
        found.append((code, start, stop, offset))
    return found


def peek_avps(message: bytes, wanted: tuple[Avp[Any], ...]) -> bytes:
    """Return the wanted AVPs that a message holds, encoded and concatenated, in their order in the message.

    For the refusal of a message that may be malformed in any way. It reads up to the first fault, skips malformed
    or repeated AVPs (groups may repeat), stops when the refusal would become too long, and never raises.
    """
    by_code = {avp.code: avp for avp in wanted}
    found: list[bytes] = []
    room = _MAX_CARRIED_OCTETS
    offset, end = HEADER_OCTETS, len(message)
    while end - offset >= 8:
        code, flags_length = _AVP_HEADER.unpack_from(message, offset)
        length = flags_length & 0xFFFFFF
        if length < 8 or length > end - offset:
            break
        avp = None if flags_length & FLAG_VENDOR << 24 else by_code.get(code)
        if avp is not None and _is_readable(avp, message[offset + 8 : offset + length]):
            room -= length
            if room < 0:
                break
            found.append(avp.wrap(message[offset + 8 : offset + length]))
            if not isinstance(avp, Grouped):
                del by_code[code]
        offset += length + 3 & ~3
    return b"".join(found)


def _is_readable(avp: Avp[Any], octets: bytes) -> bool:
    try:
        avp.decode(octets)
    except DiameterError:
        return False
    return True


def _cut_short(data: bytes, offset: int) -> DiameterError:
    """Build the error for an AVP of impossible length.

    Failed-AVP has the header of the AVP without a payload (RFC 6733, 7.1.5).
    """
    header = data[offset : offset + 8].ljust(8, b"\0")
    with_vendor = header[4] & FLAG_VENDOR
    length = 12 if with_vendor else 8
    vendor = data[offset + 8 : offset + 12].ljust(4, b"\0") if with_vendor else b""
    return DiameterError(
        ResultCode.INVALID_AVP_LENGTH,
        f"AVP {int.from_bytes(header[:4], 'big')} has an impossible length",
        header[:5] + length.to_bytes(3, "big") + vendor,
    )


def _unknown(data: bytes, offset: int, stop: int, key: int) -> DiameterError:
    whole = data[offset:stop] if stop - offset <= MAX_FAILED_AVP_OCTETS else b""
    failed = whole + bytes(-len(whole) % 4) if whole else _cut_short(data, offset).failed_avp
    return DiameterError(
        ResultCode.AVP_UNSUPPORTED,
        f"AVP {key & 0xFFFFFFFF} of vendor {key >> 32} is mandatory and not known",
        failed,
    )

"""Decode 3GPP-User-Location-Info: the cell or area of a bearer (TS 29.061, 16.4.7.2; TS 29.274, 8.21)."""

from collections.abc import Callable
from typing import Final

_PLMN_OCTETS: Final = 3


def describe_location(octets: bytes) -> str | None:
    """Describe a location in words, like ``TAI 001-01 tac 1, ECGI 001-01 enb 1 cell 1``.

    The first octet is the type. Types that are not supported (5GS, eNodeB without a cell) and wrong lengths give
    None; the raw octets are kept separately.
    """
    parts = _TYPES.get(octets[0], ()) if octets else ()
    found: list[str] = []
    place = 1
    for name, length, read in parts:
        field = octets[place : place + _PLMN_OCTETS + length]
        plmn = _plmn(field[:_PLMN_OCTETS])
        if len(field) < _PLMN_OCTETS + length or plmn is None:
            return None
        found.append(f"{name} {plmn} {read(field[_PLMN_OCTETS:])}")
        place += len(field)
    return ", ".join(found) if place == len(octets) and found else None


def _plmn(octets: bytes) -> str | None:
    """Return MCC-MNC from three octets (TS 24.008); None if a digit is not decimal.

    Each octet holds two digits, the low half first. A two-digit MNC has 15 in place of its third digit.
    """
    digits = [digit for octet in octets for digit in (octet & 15, octet >> 4)]
    if len(digits) < 2 * _PLMN_OCTETS:
        return None
    mcc, mnc = digits[:3], [*digits[4:6], *([digits[3]] if digits[3] != 15 else [])]
    if max(mcc + mnc) > 9:
        return None
    return "".join(map(str, mcc)) + "-" + "".join(map(str, mnc))


def _tac(octets: bytes) -> str:
    return f"tac {int.from_bytes(octets, 'big')}"


def _eci(octets: bytes) -> str:
    """Describe an E-UTRAN cell: 4 spare bits, 20 bits of the eNodeB, 8 bits of its cell (TS 36.413, 9.2.1.38)."""
    cell = int.from_bytes(octets, "big") & 0x0FFF_FFFF
    return f"enb {cell >> 8} cell {cell & 255}"


def _area_with(name: str) -> Callable[[bytes], str]:
    return lambda it: f"lac {int.from_bytes(it[:2], 'big')} {name} {int.from_bytes(it[2:], 'big')}"


def _rac(octets: bytes) -> str:
    """Describe a routing area: the code in one octet, then a spare octet (TS 29.060, 7.7.51)."""
    return f"lac {int.from_bytes(octets[:2], 'big')} rac {octets[2]}"


_Part = tuple[str, int, Callable[[bytes], str]]
"""Its name, the number of octets after the PLMN, and the function that describes them."""
_TAI: Final[_Part] = ("TAI", 2, _tac)
_ECGI: Final[_Part] = ("ECGI", 4, _eci)
_TYPES: Final[dict[int, tuple[_Part, ...]]] = {
    0: (("CGI", 4, _area_with("ci")),),
    1: (("SAI", 4, _area_with("sac")),),
    2: (("RAI", 4, _rac),),
    128: (_TAI,),
    129: (_ECGI,),
    130: (_TAI, _ECGI),
}

"""Octets and money. Both are integers; a float is never used for either."""

from typing import Final, NewType

Octets = NewType("Octets", int)
Kobo = NewType("Kobo", int)

GIGABYTE: Final = Octets(1_000_000_000)
"""1 GB is 10^9 octets here, in the app and in the terms."""

_UNITS: Final = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def format_octets(octets: int) -> str:
    """Format octets for people, truncated (never rounded up) to two decimals: 1_239_999_999 is "1.23 GB"."""
    sign, size = ("-", -octets) if octets < 0 else ("", octets)
    for unit, factor in _UNITS:
        if size >= factor:
            whole, rest = divmod(size, factor)
            hundredths = rest * 100 // factor
            text = f"{whole}.{hundredths:02d}".rstrip("0").rstrip(".")
            return f"{sign}{text} {unit}"
    return f"{sign}{size} B"


def format_naira(kobo: int) -> str:
    """Format kobo as naira for people: 80_000 is "₦800", 80_050 is "₦800.50"."""
    sign, size = ("-", -kobo) if kobo < 0 else ("", kobo)
    naira, rest = divmod(size, 100)
    return f"{sign}₦{naira:,}" + (f".{rest:02d}" if rest else "")

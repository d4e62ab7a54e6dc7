"""The numbers of a card and its line: ICCID, IMSI and EID.

The constructors check the numbers that we issue, including their check digits. ``as_read`` keeps numbers of other
issuers unchanged: cards in the field have ICCIDs with hexadecimal digits or without a check digit.
"""

import re
from typing import Self

from kswifi.kernel.errors import KswifiError


class InvalidNumberError(KswifiError):
    """The digits do not form a valid ICCID, IMSI or EID."""

    code = "invalid_number"


def luhn_digit(digits: str) -> str:
    """Return the Luhn check digit (ISO/IEC 7812-1, annex B) to append to these digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


class Iccid(str):
    """An integrated circuit card identifier (ITU-T E.118): 19 digits, of which the last is a check digit.

    Cards in the field have 18 to 20 digits. Only the check digit of a 19-digit number is verified, because numbers
    of other lengths often have none.
    """

    __slots__ = ()

    def __new__(cls, digits: str) -> Self:
        """Check the digits and wrap them."""
        if not (digits.isascii() and digits.isdigit() and 18 <= len(digits) <= 20):
            raise InvalidNumberError(f"an ICCID has 18 to 20 digits, not {digits!r}", iccid=digits)
        if len(digits) == 19 and luhn_digit(digits[:-1]) != digits[-1]:
            raise InvalidNumberError(f"ICCID {digits} has a wrong check digit", iccid=digits)
        return super().__new__(cls, digits)

    def to_bytes(self) -> bytes:
        """Return the ten octets of EF.ICCID: swapped nibbles, padded with F (TS 102.221, 13.2)."""
        return swap_nibbles(self.ljust(20, "F"))

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Decode the ten octets of EF.ICCID, without their padding. The digits are not checked."""
        return str.__new__(cls, unswap_nibbles(octets).rstrip("F"))

    @classmethod
    def as_read(cls, digits: str) -> Self:
        """Return an ICCID of another issuer, without padding: 1 to 20 hexadecimal digits.

        Raises:
            InvalidNumberError: it does not fit into EF.ICCID.
        """
        if re.fullmatch(r"[0-9A-Fa-f]{1,20}", digits) is None:
            raise InvalidNumberError(f"an ICCID has at most 20 hexadecimal digits, not {digits!r}", iccid=digits)
        return str.__new__(cls, digits.upper().rstrip("F"))


class Imsi(str):
    """An international mobile subscriber identity: 6 to 15 digits (TS 23.003, 2.2)."""

    __slots__ = ()

    def __new__(cls, digits: str) -> Self:
        """Check the digits and wrap them."""
        if not (digits.isascii() and digits.isdigit() and 6 <= len(digits) <= 15):
            raise InvalidNumberError(f"an IMSI has 6 to 15 digits, not {digits!r}", imsi=digits)
        return super().__new__(cls, digits)

    def to_bytes(self) -> bytes:
        """Return the nine octets of EF.IMSI: length, parity nibble, swapped digits (TS 31.102, 4.2.2)."""
        odd = len(self) % 2
        body = swap_nibbles(f"{9 if odd else 1}{self}" + ("" if odd else "F"))
        return bytes([len(body)]) + body.ljust(8, b"\xff")

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Read the nine octets of EF.IMSI."""
        return cls(unswap_nibbles(octets[1 : 1 + octets[0]])[1:].rstrip("F"))


class Eid(str):
    """An eUICC identifier: 32 digits that are 1 modulo 97 (GSMA SGP.02, 2.2.2; SGP.29)."""

    __slots__ = ()

    def __new__(cls, digits: str) -> Self:
        """Check the digits and wrap them."""
        if not (digits.isascii() and digits.isdigit() and len(digits) == 32):
            raise InvalidNumberError(f"an EID has 32 digits, not {digits!r}", eid=digits)
        if int(digits) % 97 != 1:
            raise InvalidNumberError(f"EID {digits} has wrong check digits", eid=digits)
        return super().__new__(cls, digits)

    @classmethod
    def as_read(cls, digits: str) -> Self:
        """Return an EID of another issuer: 32 hexadecimal digits. The check digits are not verified.

        Raises:
            InvalidNumberError: it is not 32 hexadecimal digits.
        """
        if re.fullmatch(r"[0-9A-Fa-f]{32}", digits) is None:
            raise InvalidNumberError(f"an EID has 32 digits, not {digits!r}", eid=digits)
        return str.__new__(cls, digits.upper())

    @classmethod
    def with_check_digits(cls, thirty_digits: str) -> Self:
        """Append the two check digits that make the whole number 1 modulo 97."""
        check = 98 - int(thirty_digits) * 100 % 97
        return cls(f"{thirty_digits}{check:02d}")


def swap_nibbles(digits: str) -> bytes:
    """Pack an even number of digits, two an octet, the first of each pair in the low nibble (TS 102.221, 13.2)."""
    return bytes.fromhex("".join(digits[i + 1] + digits[i] for i in range(0, len(digits), 2)))


def unswap_nibbles(octets: bytes) -> str:
    """Unpack octets with swapped nibbles into digits; padding comes out as ``F``."""
    text = octets.hex().upper()
    return "".join(text[i + 1] + text[i] for i in range(0, len(text), 2))

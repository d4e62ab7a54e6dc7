"""Codes that people type: twelve characters of Crockford's base 32, a serial number and our signature of it.

    0003-7QK2-M9XT
    serial: 25 bits; signature: 35 bits of HMAC-SHA-256

Thirty-five bits are enough against guessing because attempts are counted (``service``): ten per quarter of an hour
for an account and sixty for an address (for a venue's: sixty times KSWIFI_VENUE_RATE_FACTOR, 1,200 by default),
against 2^35 signatures of each serial. Only redeemed serial numbers are stored, so a stolen database contains no
usable codes.
"""

import hmac
from typing import Final

from kswifi.kernel.pasted import clean_digits
from kswifi.vouchers.errors import UNKNOWN_VOUCHER

# Crockford's base 32 leaves out letters that are easily misread: I, L, O and U.
_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD: Final = str.maketrans("OIL", "011", "- ")
_DIGIT_BITS: Final = 5
_SERIAL_DIGITS: Final = 5
_SIGNATURE_DIGITS: Final = 7
_GROUP: Final = 4

SERIALS: Final = 1 << _SERIAL_DIGITS * _DIGIT_BITS


class VoucherCodes:
    """Makes and reads codes with one key, which the installation uses for this purpose only."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def code(self, serial: int) -> str:
        """Return the code of a serial number, in groups of four."""
        if not 0 <= serial < SERIALS:
            raise ValueError(f"{serial} is no serial number of a voucher")
        text = _text(serial, _SERIAL_DIGITS) + self._signature(serial)
        return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))

    def serial(self, code: str) -> int:
        """Return the serial number of a typed code: any case, any groups, O is read as 0, I and L as 1.

        Raises:
            UNKNOWN_VOUCHER: it was not signed with this key.
        """
        text = clean_digits(code).upper().translate(_MISREAD)
        if len(text) == _SERIAL_DIGITS + _SIGNATURE_DIGITS and all(digit in _DIGITS for digit in text):
            serial = _number(text[:_SERIAL_DIGITS])
            if hmac.compare_digest(text[_SERIAL_DIGITS:], self._signature(serial)):
                return serial
        raise UNKNOWN_VOUCHER("this is no voucher of ours: compare the code with your voucher, sign by sign")

    def _signature(self, serial: int) -> str:
        digest = hmac.digest(self._key, serial.to_bytes(4), "sha256")
        return _text(int.from_bytes(digest) >> (256 - _SIGNATURE_DIGITS * _DIGIT_BITS), _SIGNATURE_DIGITS)


def _text(number: int, digits: int) -> str:
    return "".join(_DIGITS[number >> at * _DIGIT_BITS & 31] for at in reversed(range(digits)))


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number << _DIGIT_BITS | _DIGITS.index(digit)
    return number

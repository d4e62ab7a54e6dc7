"""Text that people paste or type: codes, numbers and names, in the one form in which they are compared."""

import re
import unicodedata
from typing import Final

SEPARATORS: Final = re.compile(r"[\s().\-\u2010-\u2015\u2212]+")
"""Spaces, brackets, dots and every kind of dash: people group digits with them."""


def clean_pasted(text: str) -> str:
    """Return a pasted code, number or name in its comparable form; the same again changes nothing.

    Format characters (Unicode category Cf: direction marks, zero-width spaces, soft hyphens) are removed, since a
    contact list or a chat adds them unseen. Compatibility forms become the common ones (NFKC, UAX 15), every
    decimal digit becomes its ASCII digit, and white space at both ends is removed. Passwords are never cleaned.
    """
    plain = unicodedata.normalize("NFKC", _without_format_characters(text))
    # NFKC can bring forth a format character only from a character that decomposes to one; none is left either way.
    return "".join(_ascii_digit(one) for one in _without_format_characters(plain)).strip()


def clean_digits(text: str) -> str:
    """Return a pasted number (code, IMSI, ICCID, EID) in its comparable form, and without separators."""
    return SEPARATORS.sub("", clean_pasted(text))


def _without_format_characters(text: str) -> str:
    return "".join(one for one in text if unicodedata.category(one) != "Cf")


def _ascii_digit(one: str) -> str:
    return str(unicodedata.decimal(one)) if unicodedata.category(one) == "Nd" else one

"""The list of common passwords: 30,000 from zxcvbn's list, and those that are common in Nigeria."""

import string
from functools import cache
from typing import Final

from kswifi.kernel.pasted import clean_pasted

_COMMON_HERE: Final = (
    "0123456789",
    "abc12345",
    "blessing1",
    "godisgood",
    "jesus123",
    "kswifi123",
    "lagos123",
    "letmein1",
    "nigeria1",
    "nigeria123",
    "password12",
    "qwerty12",
)

_PADDING: Final = string.digits + string.punctuation + " "


def is_common(password: str) -> bool:
    """Return whether a password is on the list, or one of the list made longer (NIST SP 800-63B, 3.1.1.2).

    Made longer: written several times (``passwordpassword``), or with digits and signs before and after it
    (``password2026!``). Upper and lower case are equal, and decimal digits of all scripts equal the ASCII digits.
    """
    plain = clean_pasted(password).casefold()
    common = _common_passwords()
    return plain in common or plain.strip(_PADDING) in common or _unit_of(plain) in common


def _unit_of(text: str) -> str:
    """Return the shortest text of which a text is the repetition; it is the text itself if nothing repeats."""
    # A text that occurs in its double other than at the ends is a repetition.
    return text[: (text + text).index(text, 1)] if text else text


@cache
def _common_passwords() -> frozenset[str]:
    # Imported when the first password is checked, so that other commands do not load half a megabyte of words.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    return frozenset(one.casefold() for one in (*FREQUENCY_LISTS["passwords"], *_COMMON_HERE))

"""The list of common passwords: 30,000 from zxcvbn's list, and those that are common in Nigeria."""

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


def is_common(password: str) -> bool:
    """Return whether a password is on the list (NIST SP 800-63B, 3.1.1.2).

    Upper and lower case are equal, and decimal digits of all scripts equal the ASCII digits.
    """
    return clean_pasted(password).casefold() in _common_passwords()


@cache
def _common_passwords() -> frozenset[str]:
    # Imported when the first password is checked, so that other commands do not load half a megabyte of words.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    return frozenset(one.casefold() for one in (*FREQUENCY_LISTS["passwords"], *_COMMON_HERE))

"""How packet cores behave."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a core behaves.

    ``blocking``: its user plane forwards nothing beyond a grant, nor while a report is under way.
    """

    name: str
    blocking: bool
    restricts: bool = False
    """Keeps a bearer for KSWiFi's address alone, instead of ending it."""
    outstanding: int = 1
    serves_re_auth: bool = False
    serves_abort: bool = False
    forgets_termination: bool = False
    """A re-attach ends the old bearer without a word; now and then its usage comes later."""
    orderly: bool = False
    """Sends no TERMINATION while a report is unanswered, and opens no bearer while a line's last one has any."""
    absurd_time: bool = False
    cut_octets: int = 0
    """What still passes at the end of the last grant."""
    rating_groups: tuple[int, ...] = ()
    """It asks for each of them apart, after an INITIAL that names none (RFC 8506, 5.2.1); empty: for no group."""


PROFILES: Final = (
    Profile(
        name="gateway",
        blocking=True,
        restricts=True,
        serves_re_auth=True,
        serves_abort=True,
        orderly=True,
    ),
    Profile(name="blocking", blocking=True, serves_re_auth=True, orderly=True),
    Profile(name="open5gs", blocking=False, absurd_time=True, forgets_termination=True, cut_octets=2_200),
    Profile(name="five-outstanding", blocking=False, outstanding=5, absurd_time=True, cut_octets=6_000),
    Profile(name="forgetful", blocking=True, forgets_termination=True),
    Profile(
        name="rating-groups",
        blocking=True,
        serves_re_auth=True,
        serves_abort=True,
        orderly=True,
        rating_groups=(10, 20),
    ),
)

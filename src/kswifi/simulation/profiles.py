"""Profiles of packet cores."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The behaviour of a packet core.

    ``blocking``: its user plane forwards nothing beyond a grant, and nothing while a report is unanswered.
    """

    name: str
    blocking: bool
    restricts: bool = False
    """Keeps a bearer open for KSWiFi's address only, instead of ending it."""
    outstanding: int = 1
    serves_re_auth: bool = False
    serves_abort: bool = False
    forgets_termination: bool = False
    """Ends the old bearer at a re-attach without a TERMINATION; sometimes its usage is reported later."""
    orderly: bool = False
    """Sends no TERMINATION while a report is unanswered, and opens no bearer while the line's last one has such
    a report.
    """
    absurd_time: bool = False
    cut_octets: int = 0
    """Octets that still pass after the end of the last grant."""
    rating_groups: tuple[int, ...] = ()
    """The groups that it asks for separately, after an INITIAL without groups (RFC 8506, 5.2.1); empty: no
    groups.
    """


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

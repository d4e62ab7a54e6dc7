"""The limits of gifts, of standing orders and of people's own limits: values that the operator sets."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

LEAST_LEFT: Final = timedelta(hours=24)
"""How long a session must still be valid when it is given, and when it is claimed."""


@dataclass(frozen=True, slots=True)
class GiftRules:
    """The limits of gifts to other accounts; shares and moves between lines of one account have none.

    Attributes:
        enabled: gifts are allowed.
        giver_verified: the giver needs a verified phone number.
        giver_age: how long the giver's account must exist.
        open_at_once: the most open gifts of one giver.
        receiver_octets: the most octets that one account receives in ``receiver_period``.
        receiver_givers: the most accounts from which one account receives in that period.
        receiver_period: see above.
        claim_period: after so long an unclaimed gift goes back, and so does a claimed one that is not stored.
    """

    enabled: bool = True
    giver_verified: bool = True
    giver_age: timedelta = timedelta(days=7)
    open_at_once: int = 10
    receiver_octets: int = 1_000_000_000
    receiver_givers: int = 2
    receiver_period: timedelta = timedelta(days=30)
    claim_period: timedelta = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class StandingOrderRules:
    """The limits of standing orders.

    Attributes:
        enabled: standing orders are allowed.
        largest_percent: the most that may be left of a session when the next one is ordered.
        largest_days: the earliest that the next one is ordered before the end of a session.
        ignored_limit: so many due dates that are ignored in a row pause a standing order.
        ignored_after: a due date that nobody has carried out for so long was ignored.
    """

    enabled: bool = True
    largest_percent: int = 50
    largest_days: int = 7
    ignored_limit: int = 3
    ignored_after: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LimitRules:
    """What people may set on their lines.

    Attributes:
        enabled: limits of days and pauses with an end are allowed.
        control_only_access: the network gives a stopped line control-only access, without which neither is offered.
        least_octets: the smallest limit of a day.
        longest_pause: the longest pause with an end.
    """

    enabled: bool = True
    control_only_access: bool = True
    least_octets: int = 10_000_000
    longest_pause: timedelta = timedelta(days=31)

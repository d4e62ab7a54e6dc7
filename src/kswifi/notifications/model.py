"""Which alerts a session's figures call for: pure rules, no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kswifi.sessions.model import USAGE_SHARES

BEFORE_THE_END: Final = timedelta(days=1)
"""How long before its last moment a session's owner is told."""

KEY_OCTETS: Final = 65
SECRET_OCTETS: Final = 16


class AlertKind(StrEnum):
    """What an alert says."""

    SHARE = "share"
    FINISHED = "finished"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; ``percent`` of a share alone. ``name`` tells it from the session's others for good."""

    kind: AlertKind
    percent: int | None = None

    @property
    def name(self) -> str:
        """Return what it is told once by."""
        return str(self.kind) if self.percent is None else f"{self.kind}-{self.percent}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A device that wants to be told: where, and the keys that it alone can read with (RFC 8291, 2)."""

    subscription_id: str
    endpoint: str
    key: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user wants to be told."""

    usage: bool = True
    expiry: bool = True

    def wants(self, alert: Alert) -> bool:
        """Tell whether an alert is wanted."""
        return self.expiry if alert.kind is AlertKind.ENDS else self.usage


def shares_passed(used_octets: int, allowance_octets: int | None) -> tuple[Alert, ...]:
    """Return the alerts of all thresholds that are passed, the lowest first; none of an uncapped session."""
    if not allowance_octets:
        return ()
    return tuple(
        Alert(AlertKind.SHARE, percent)
        for percent in USAGE_SHARES
        if 100 * used_octets >= percent * allowance_octets
    )


def tell_of_the_end_at(valid_until: datetime) -> datetime:
    """Return when a session's owner is told that it ends."""
    return valid_until - BEFORE_THE_END

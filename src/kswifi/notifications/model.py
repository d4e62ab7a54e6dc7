"""The alerts of an InternetSession by its figures: pure rules, no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kswifi.sessions.model import USAGE_SHARES

BEFORE_THE_END: Final = timedelta(days=1)
"""How long before the end of its validity the owner of an InternetSession is alerted."""

KEY_OCTETS: Final = 65
SECRET_OCTETS: Final = 16


class AlertKind(StrEnum):
    """The kinds of alerts."""

    SHARE = "share"
    FINISHED = "finished"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; only SHARE has a ``percent``. ``name`` is unique among the alerts of an InternetSession."""

    kind: AlertKind
    percent: int | None = None

    @property
    def name(self) -> str:
        """Return the name under which the alert is marked as sent."""
        return str(self.kind) if self.percent is None else f"{self.kind}-{self.percent}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A device's push subscription: its endpoint, public key and authentication secret (RFC 8291, 2).

    ``refused_at`` is the instant since which the push service refuses our identification (RFC 8292), if it does.
    """

    subscription_id: str
    endpoint: str
    key: bytes
    secret: bytes
    refused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """The kinds of alerts that a user wants."""

    usage: bool = True
    expiry: bool = True

    def wants(self, alert: Alert) -> bool:
        """Return whether the user wants an alert."""
        return self.expiry if alert.kind is AlertKind.ENDS else self.usage


def shares_passed(used_octets: int, allowance_octets: int | None) -> tuple[Alert, ...]:
    """Return the alerts of all thresholds that are passed, the lowest first; none for an uncapped session."""
    if not allowance_octets:
        return ()
    return tuple(
        Alert(AlertKind.SHARE, percent)
        for percent in USAGE_SHARES
        if 100 * used_octets >= percent * allowance_octets
    )


def end_alert_at(valid_until: datetime) -> datetime:
    """Return when the owner is alerted that the InternetSession ends."""
    return valid_until - BEFORE_THE_END

"""Clocks and instants. Rules that depend on time take a Clock or an instant as an argument; none reads the time."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Source of the current time. It is passed in, so that tests and simulations can set it."""

    def now(self) -> datetime:
        """Return the current instant as an aware datetime in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the system time in UTC."""
        return datetime.now(UTC)


class AheadClock(SystemClock):
    """The machine's clock plus a fixed time, to show what happens when days have passed.

    Args:
        by: how far this clock is ahead of the machine's.
    """

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        """Return the system time in UTC plus the fixed time."""
        return super().now() + self._by


def require_aware(instant: datetime) -> datetime:
    """Convert an instant to UTC.

    Raises:
        ValueError: the datetime is naive (it has no time zone).
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(UTC)


def unix_seconds(instant: datetime) -> int:
    """Return the whole seconds since 1970-01-01 UTC, rounded down. Records, packages and journals store this form.

    Raises:
        ValueError: the datetime is naive.
    """
    return int(require_aware(instant).timestamp() // 1)


def from_unix_seconds(seconds: int) -> datetime:
    """Return the instant that is ``seconds`` after 1970-01-01 UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def monotonic_seconds() -> float:
    """Return the seconds of a clock that never jumps. Use it for time-outs and durations, never in records."""
    return time.monotonic()

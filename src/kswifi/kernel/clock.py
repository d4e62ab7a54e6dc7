"""Time, as an argument: every rule that depends on it takes a Clock or an instant."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; passed in, so that tests and simulations own it."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's present instant in UTC."""
        return datetime.now(UTC)


class AheadClock(SystemClock):
    """The machine's clock, so much later: for showing what happens when days have passed."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        """Return the machine's present instant and so much more."""
        return super().now() + self._by


def require_aware(instant: datetime) -> datetime:
    """Return the instant in UTC.

    Raises:
        ValueError: it is naive, so nobody knows when it was.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(UTC)


def unix_seconds(instant: datetime) -> int:
    """Return whole seconds since 1970, rounded down: what records, packages and journals hold."""
    return int(require_aware(instant).timestamp() // 1)


def from_unix_seconds(seconds: int) -> datetime:
    """Return the instant of a whole number of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def monotonic_seconds() -> float:
    """Return seconds of a clock that never jumps: for time-outs and durations, never for records."""
    return time.monotonic()

"""A clock for tests that stands still until it is moved."""

from datetime import datetime, timedelta

from kswifi.kernel.clock import require_aware


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = require_aware(start)

    def now(self) -> datetime:
        """Return the instant it was last moved to."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward; a clock of ours never runs backward."""
        if by < timedelta(0):
            raise ValueError(f"a clock moves forward only, not by {by}")
        self._now += by

"""A clock for tests that stands still until it is moved."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from kswifi.kernel import clock_guard
from kswifi.kernel.clock import require_aware
from kswifi.kernel.clock_guard import Reading


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


_machine_reader = clock_guard.machine_reader


def jumping_reader(jump: Path) -> Callable[[], Callable[[], Reading]]:
    """Return a ``machine_reader`` whose wall clock is ahead by the seconds in a file; by none without the file."""

    def reader() -> Callable[[], Reading]:
        read = _machine_reader()

        def read_ahead() -> Reading:
            here = read()
            return replace(here, wall=here.wall + (float(jump.read_text() or 0) if jump.exists() else 0.0))

        return read_ahead

    return reader

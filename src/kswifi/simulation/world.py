"""Simulated time: the event queue, a wall clock that can jump, and the only source of randomness."""

import heapq
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Final, TypeAlias

from kswifi.kernel.clock import from_unix_seconds
from kswifi.simulation.loop import SimulatedLoop

_BEGIN: Final = 1_795_000_000
Callback: TypeAlias = Callable[[], None]


class World:
    """The event queue of a simulation; as a Clock it gives the server its wall time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # chance that comes back with its seed
        self.time = 0.0
        """Simulated seconds since the beginning; they never jump."""
        self.jumped_seconds = 0.0
        """The offset of the wall clock in seconds."""
        self.loop = SimulatedLoop(lambda: self.time)  # type: ignore[abstract]  # sockets and processes are not pretended
        self.loop.after = self.after
        self._queue: list[tuple[float, int, Callback]] = []
        self._count = 0

    def now(self) -> datetime:
        """Return the instant of the wall clock, with fractions of a second, which rates need."""
        moment = from_unix_seconds(_BEGIN).timestamp() + self.time + self.jumped_seconds
        return datetime.fromtimestamp(moment, from_unix_seconds(0).tzinfo)

    def after(self, seconds: float, callback: Callback) -> None:
        """Schedule a callback; of two at the same instant, the one scheduled first runs first."""
        self._count += 1
        heapq.heappush(self._queue, (self.time + seconds, self._count, callback))

    def run(self, until: float, after_each: Callback) -> None:
        """Run all events up to an instant of simulated time; call ``after_each`` after each."""
        while self._queue and self._queue[0][0] <= until:
            self.time, _, callback = heapq.heappop(self._queue)
            self.loop.inside(callback)
            after_each()
        self.time = until

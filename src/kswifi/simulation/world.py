"""Virtual time: a queue of what happens when, a clock that can jump, and the one source of chance."""

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
    """Everything that happens, happens here; as a Clock it tells the server's wall time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # chance that comes back with its seed
        self.time = 0.0
        """Simulated seconds since the beginning; these never jump."""
        self.jumped_seconds = 0.0
        """How far the wall clock is off."""
        self.loop = SimulatedLoop(lambda: self.time)  # type: ignore[abstract]  # sockets and processes are not pretended
        self.loop.after = self.after
        self._queue: list[tuple[float, int, Callback]] = []
        self._count = 0

    def now(self) -> datetime:
        """Return the wall clock's instant, to the second's fraction as far as a rate needs it."""
        moment = from_unix_seconds(_BEGIN).timestamp() + self.time + self.jumped_seconds
        return datetime.fromtimestamp(moment, from_unix_seconds(0).tzinfo)

    def after(self, seconds: float, callback: Callback) -> None:
        """Let it happen then; of two at one instant, the one that was asked for first."""
        self._count += 1
        heapq.heappush(self._queue, (self.time + seconds, self._count, callback))

    def run(self, until: float, after_each: Callback) -> None:
        """Let everything happen up to that time."""
        while self._queue and self._queue[0][0] <= until:
            self.time, _, callback = heapq.heappop(self._queue)
            self.loop.inside(callback)
            after_each()
        self.time = until

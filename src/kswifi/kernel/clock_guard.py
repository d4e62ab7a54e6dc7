"""A clock that does not follow jumps of the machine's clock until they are confirmed.

The machine has two clocks. The wall clock tells the time, and anything may set it: a person, a wrong time server, a
dead battery. The boot clock (CLOCK_BOOTTIME) counts seconds since the machine started, also while it is suspended,
and nobody can set it. As long as both advance together, the wall clock is believed. When it jumps, the time goes on
from the last believed instant by the boot clock: what is due by then is due, and nothing because of the jump.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kswifi.kernel.clock import Clock

AGREEMENT_SECONDS: Final = 600.0
"""For so long a second source of time has to agree with the wall clock before a jump is believed."""
_DAY_SECONDS: Final = 86_400.0
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_BOOT_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment.

    Attributes:
        wall: Unix seconds by the wall clock.
        boot: seconds of the boot clock.
        boot_id: which start of the machine ``boot`` counts from; "" if the system does not say.
    """

    wall: float
    boot: float
    boot_id: str

    def seconds_since(self, earlier: "Reading") -> float | None:
        """Return the true seconds since an earlier reading; None if the machine was started again meanwhile."""
        if not self.boot_id or self.boot_id != earlier.boot_id:
            return None
        return self.boot - earlier.boot


def machine_reader() -> Callable[[], Reading]:
    """Return a function that reads the clocks of this machine."""
    try:
        boot_id = _BOOT_ID.read_text().strip()
    except OSError:
        boot_id = ""
    return lambda: Reading(time.time(), time.clock_gettime(_BOOT_CLOCK), boot_id)


class GuardedClock(Clock):
    """The believed time. ``now`` may be called on any thread; everything else on one.

    Args:
        read: reads both clocks.
        known: an earlier reading whose ``wall`` was believed, as of the last run; None for the first start.
        at_least: an instant in Unix seconds that has passed for certain, as in the ledger's last record.
        jump_seconds: a difference of the clocks up to this is believed.
        off_seconds: for so long the machine may have been switched off since ``known``.
    """

    def __init__(
        self,
        read: Callable[[], Reading],
        known: Reading | None,
        *,
        at_least: float = 0.0,
        jump_seconds: float,
        off_seconds: float,
    ) -> None:
        self._read = read
        self._jump_seconds = jump_seconds
        self._agreed_since: Reading | None = None
        here = read()
        believed = self._first(here, known, at_least, off_seconds)
        self._believed = Reading(believed, here.boot, here.boot_id)
        self._doubted = abs(here.wall - believed) > jump_seconds

    def now(self) -> datetime:
        """Return the believed time in UTC."""
        return datetime.fromtimestamp(self.look().wall, UTC)

    def look(self) -> Reading:
        """Return the reading of both clocks, with the believed time as its ``wall``."""
        here, believed = self._read(), self._believed
        expected = believed.wall + (here.boot - believed.boot)
        if abs(here.wall - expected) <= self._jump_seconds:
            self._believed, self._doubted = here, False
            return here
        self._doubted = True
        return Reading(expected, here.boot, here.boot_id)

    @property
    def is_doubted(self) -> bool:
        """Whether the wall clock has jumped, and is not believed."""
        return self._doubted

    @property
    def jump(self) -> float:
        """How many seconds the wall clock is ahead of the believed time; negative if it is behind."""
        return self._read().wall - self.look().wall

    def confirm(self) -> None:
        """Believe the wall clock as it is now."""
        self._believed, self._doubted, self._agreed_since = self._read(), False, None

    def confirmed_at(self, then: Reading) -> bool:
        """Believe the wall clock if it is still the one that a person confirmed; return whether it is."""
        here = self._read()
        true = here.seconds_since(then)
        wall = here.wall - then.wall
        is_as_then = 0 <= wall <= _DAY_SECONDS if true is None else abs(wall - true) <= self._jump_seconds
        if is_as_then:
            self.confirm()
        return is_as_then

    def hear(self, source_unix: float | None) -> bool:
        """Take the time of a second source; return whether it has agreed for long enough, and the jump is believed.

        None means that the source gave no answer; that breaks off an agreement.
        """
        here = self._read()
        if source_unix is None or abs(source_unix - here.wall) > self._jump_seconds:
            self._agreed_since = None
            return False
        since = self._agreed_since
        if since is None or abs((here.wall - since.wall) - (here.boot - since.boot)) > self._jump_seconds:
            self._agreed_since = here  # the first answer, or the wall clock has jumped again since
            return False
        if here.boot - since.boot < AGREEMENT_SECONDS:
            return False
        self.confirm()
        return True

    def _first(self, here: Reading, known: Reading | None, at_least: float, off_seconds: float) -> float:
        """Return the believed time at the start."""
        if known is None:
            return here.wall if here.wall + self._jump_seconds >= at_least else at_least
        elapsed = here.seconds_since(known)
        if elapsed is not None:
            expected = known.wall + elapsed
            return here.wall if abs(here.wall - expected) <= self._jump_seconds else expected
        # Nobody counted the time while the machine was off.
        passed = here.wall - max(known.wall, at_least)
        return here.wall if -self._jump_seconds <= passed <= off_seconds else max(known.wall, at_least)


class FollowingClock(Clock):
    """The believed time of another process: ``last`` returns its newest reading, None if there is none."""

    def __init__(self, read: Callable[[], Reading], last: Callable[[], Reading | None]) -> None:
        self._read = read
        self._last = last

    def now(self) -> datetime:
        """Return the believed time in UTC, counted on by the boot clock; the wall clock where nobody judges it."""
        here, last = self._read(), self._last()
        elapsed = None if last is None else here.seconds_since(last)
        return datetime.fromtimestamp(here.wall if last is None or elapsed is None else last.wall + elapsed, UTC)

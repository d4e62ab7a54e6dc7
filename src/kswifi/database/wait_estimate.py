"""How long a step that comes now would wait for its turn, from how long steps took lately. Pure."""

from typing import Final

_WEIGHT: Final = 0.1
"""Of the newest transaction: an estimate follows a change within some twenty transactions."""


class WaitEstimate:
    """Averages of the seconds that a step takes: in a shared transaction, and alone. Exponentially weighted."""

    def __init__(self) -> None:
        self._shared_seconds = 0.0
        self._alone_seconds = 0.0

    def note(self, steps: int, seconds: float, *, alone: bool) -> None:
        """Note a transaction with so many steps that took so long, its commit included."""
        if not steps:
            return
        if alone:
            self._alone_seconds += _WEIGHT * (seconds - self._alone_seconds)
        else:
            self._shared_seconds += _WEIGHT * (seconds / steps - self._shared_seconds)

    def seconds(self, shared: int, alone: int) -> float:
        """Return the expected seconds until so many waiting steps have been run."""
        return shared * self._shared_seconds + alone * self._alone_seconds

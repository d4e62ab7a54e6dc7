"""How often somebody may try: a bucket for each account and each address, in bounded memory.

Kept in memory, so a restart forgets: what it protects against is guessing for hours, not one more try.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kswifi.accounts.errors import TooManyAttemptsError

KEYS_LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many attempts at once, and as many again evenly over the period."""

    attempts: int
    period: timedelta


class RateLimiter:
    """The generic cell rate algorithm: one instant a key (ITU-T I.371, annex A)."""

    def __init__(self, rate: Rate) -> None:
        self._spacing = rate.period / rate.attempts
        self._tolerance = rate.period - self._spacing
        self._full_until: OrderedDict[str, datetime] = OrderedDict()

    def attempt(self, key: str, now: datetime) -> None:
        """Count one attempt.

        Raises:
            TooManyAttemptsError: it comes too early; it is not counted.
        """
        full_until = max(self._full_until.get(key, now), now)
        wait = full_until - self._tolerance - now
        if wait > timedelta(0):
            seconds = -(-wait // timedelta(seconds=1))
            raise TooManyAttemptsError(
                f"too many attempts: try again in {seconds} seconds", retry_after_seconds=seconds
            )
        self._full_until[key] = full_until + self._spacing
        self._full_until.move_to_end(key)
        if len(self._full_until) > KEYS_LIMIT:
            self._full_until.popitem(last=False)  # the one that tried longest ago

    def forgive(self, key: str) -> None:
        """Forget the attempts of a key that has proved itself."""
        self._full_until.pop(key, None)

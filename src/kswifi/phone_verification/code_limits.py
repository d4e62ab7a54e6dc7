"""Limits of sent codes, against SMS pumping: fraudsters request codes to premium numbers to earn the fees.

One limiter counts all codes of a process, for any purpose. It counts per receiver, per receiver's prefix (a country
or an operator) and in all, by the hour and by the day. An attempt that one limit refuses is counted by none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from kswifi.accounts.errors import TooManyAttemptsError
from kswifi.accounts.model import Identifier, canonical_identifier
from kswifi.accounts.rates import Rate, RateLimiter

_log = structlog.get_logger(__name__)

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_NIGERIA: Final = "+234"
_OPERATOR_CHARACTERS: Final = len("+234803")
_COUNTRY_CHARACTERS: Final = len("+447")


@dataclass(frozen=True, slots=True)
class CodeRates:
    """The maximum of codes per hour and per day to one receiver and to one prefix, and per day in all."""

    number_hour: int = 3
    number_day: int = 4
    operator_hour: int = 300
    operator_day: int = 1_500
    abroad_hour: int = 10
    abroad_day: int = 40
    all_day: int = 2_000


class CodeLimiter:
    """Counts codes; the counters are in bounded memory and start at zero with the process."""

    def __init__(self, rates: CodeRates | None = None) -> None:
        given = rates or CodeRates()
        self._receivers = _pair(given.number_hour, given.number_day)
        self._operators = _pair(given.operator_hour, given.operator_day)
        self._abroad = _pair(given.abroad_hour, given.abroad_day)
        self._all = RateLimiter(Rate(given.all_day, _DAY))

    def attempt(self, receiver: Identifier, now: datetime) -> None:
        """Count a code to a phone number or email address.

        Raises:
            TooManyAttemptsError: a limit is reached; nothing is counted.
        """
        counted = [(limiter, canonical_identifier(str(receiver))) for limiter in self._receivers]
        if receiver.phone_number is not None:
            at_home = receiver.phone_number.startswith(_NIGERIA)
            prefix = receiver.phone_number[: _OPERATOR_CHARACTERS if at_home else _COUNTRY_CHARACTERS]
            counted += [(limiter, prefix) for limiter in (self._operators if at_home else self._abroad)]
            for limiter, key in counted[2:]:
                _require_room(limiter, key, now, prefix)
        counted.append((self._all, ""))
        _require_room(self._all, "", now, "all")
        for limiter, key in counted:
            limiter.require_room(key, now)
        for limiter, key in counted:
            limiter.attempt(key, now)


def _pair(hour: int, day: int) -> tuple[RateLimiter, RateLimiter]:
    return RateLimiter(Rate(hour, _HOUR)), RateLimiter(Rate(day, _DAY))


def _require_room(limiter: RateLimiter, key: str, now: datetime, prefix: str) -> None:
    try:
        limiter.require_room(key, now)
    except TooManyAttemptsError:
        _log.warning("codes_used_up", prefix=prefix)  # costs the operator money, may be SMS pumping
        raise

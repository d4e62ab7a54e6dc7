"""What a rehearsal gateway is told to do wrong: one thing, so many times, at one of its calls."""

from collections import deque
from enum import StrEnum
from typing import Annotated, Final

import msgspec

FAULTS_LIMIT: Final = 100


class Call(StrEnum):
    """The calls that can go wrong."""

    INITIALIZE = "initialize"
    VERIFY = "verify"
    REFUND = "refund"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    LIST = "list"
    """Each list of a span of time, and the charges of a payout."""


class Wrong(StrEnum):
    """How a call goes wrong."""

    NO_ANSWER = "no_answer"
    """It is done, and the answer never comes."""
    NEVER_ARRIVED = "never_arrived"
    """It is not done, and no answer comes."""
    LATE = "late"
    """It is done, and answered after ``seconds``."""
    RATE_LIMITED = "rate_limited"
    """429 with Retry-After of ``seconds``; nothing is done."""
    BROKEN = "broken"
    """500; nothing is done."""
    UNREADABLE = "unreadable"
    """200, with a page of HTML instead of JSON."""
    CHANGED_FIELDS = "changed_fields"
    """Numbers as strings, members that nobody knows, and some that are gone."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to do wrong, ``times`` times."""

    call: Call
    wrong: Wrong
    times: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0


class Faults:
    """What is still to go wrong, in the order in which it was told."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque(maxlen=FAULTS_LIMIT)

    def tell(self, fault: Fault) -> None:
        """Have a call go wrong."""
        self._waiting.extend([fault] * fault.times)

    def take(self, call: Call) -> Fault | None:
        """Return what goes wrong at this call now, None if nothing does."""
        for fault in self._waiting:
            if fault.call is call:
                self._waiting.remove(fault)
                return fault
        return None

    def forget(self) -> None:
        """Have everything go right again."""
        self._waiting.clear()

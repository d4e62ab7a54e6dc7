"""Faults to inject into a rehearsal gateway: a kind of fault, for one of its calls, a number of times."""

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
    """The call is carried out, and there is no answer."""
    NEVER_ARRIVED = "never_arrived"
    """The call is not carried out, and there is no answer."""
    LATE = "late"
    """The call is carried out, and answered after ``seconds``."""
    RATE_LIMITED = "rate_limited"
    """The answer is 429 with Retry-After of ``seconds``; the call is not carried out."""
    BROKEN = "broken"
    """The answer is 500; the call is not carried out."""
    UNREADABLE = "unreadable"
    """The call is carried out, and the answer is 200 with a page of HTML instead of JSON."""
    CHANGED_FIELDS = "changed_fields"
    """The answer has numbers as strings, unknown members, and lacks some members."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault to inject at the next ``times`` calls of one kind."""

    call: Call
    wrong: Wrong
    times: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0


class Faults:
    """The faults still to inject, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque(maxlen=FAULTS_LIMIT)

    def tell(self, fault: Fault) -> None:
        """Add a fault."""
        self._waiting.extend([fault] * fault.times)

    def take(self, call: Call) -> Fault | None:
        """Remove and return the next fault of this call; None if there is none."""
        for fault in self._waiting:
            if fault.call is call:
                self._waiting.remove(fault)
                return fault
        return None

    def forget(self) -> None:
        """Remove all faults."""
        self._waiting.clear()

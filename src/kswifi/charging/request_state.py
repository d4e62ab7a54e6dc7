"""The state of a request between its arrival and its answer, and the counters over all requests."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.journal_notes import Bearer
from kswifi.charging.steps import Step
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.ledger.commands import Outcome

Answered: TypeAlias = Callable[[ChargingAnswer], None]

LATENCY_BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)
"""The upper bounds of the latency histogram in seconds; slower answers have a bucket of their own at the end."""


@dataclass(slots=True)
class ChargingCounters:
    """Counters since the start."""

    requests: Counter[str] = field(default_factory=Counter)
    """By CC-Request-Type."""
    results: Counter[int] = field(default_factory=Counter)
    """By Result-Code of the whole command."""
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    latency_seconds: float = 0.0
    """The sum over all requests that were applied."""
    orphans: int = 0
    """Sessions settled because a new bearer replaced them."""
    lost: int = 0
    """Sessions settled because their gateway restarted."""
    silent: int = 0
    """Sessions settled because no request came for too long."""
    overrun_octets: int = 0
    unbooked_octets: int = 0
    """Octets reported for unknown sessions for which no account could be found."""

    def took(self, seconds: float) -> None:
        """Count the latency of an answer, in seconds."""
        self.latencies[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self.latency_seconds += seconds


@dataclass(slots=True)
class Exchange:
    """A request and its partial outcomes, from its arrival to its answer."""

    request: CreditControlRequest
    answered: Answered
    bearer: Bearer
    wallet_id: str | None
    steps: list[Step]
    outcomes: list[Outcome | None]
    missing: int
    arrived_at: float
    began: float
    """The arrival by the monotonic clock."""
    octets_per_second: int

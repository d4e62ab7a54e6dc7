"""A request between its arrival and its answer, and what is counted of all of them."""

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
"""Seconds up to which answers are counted together; what took longer comes last."""


@dataclass(slots=True)
class ChargingCounters:
    """What happened since the start."""

    requests: Counter[str] = field(default_factory=Counter)
    """By CC-Request-Type."""
    results: Counter[int] = field(default_factory=Counter)
    """By Result-Code of the whole command."""
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    latency_seconds: float = 0.0
    """Of all requests that were applied, together."""
    orphans: int = 0
    """Sessions settled because a new bearer took their place."""
    lost: int = 0
    """Sessions settled because their gateway restarted."""
    silent: int = 0
    """Sessions settled because nothing was heard of them."""
    overrun_octets: int = 0
    unbooked_octets: int = 0
    """Reported by sessions that nobody knows: no account could be found to book them on."""

    def took(self, seconds: float) -> None:
        """Count how long an answer took."""
        self.latencies[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self.latency_seconds += seconds


@dataclass(slots=True)
class Exchange:
    """A request between its arrival and its answer."""

    request: CreditControlRequest
    answered: Answered
    bearer: Bearer
    wallet_id: str | None
    steps: list[Step]
    outcomes: list[Outcome | None]
    missing: int
    arrived_at: float
    began: float
    """The same instant by a clock that never jumps."""
    octets_per_second: int

"""A request between its arrival and its answer, and what is counted of all of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.model import Bearer
from kswifi.charging.steps import Step
from kswifi.diameter.credit_control import CreditControlRequest
from kswifi.ledger.commands import Outcome

Answered: TypeAlias = Callable[[ChargingAnswer], None]


@dataclass(slots=True)
class ChargingCounters:
    """What happened since the start."""

    requests: Counter[str] = field(default_factory=Counter)
    """By CC-Request-Type."""
    results: Counter[int] = field(default_factory=Counter)
    """By Result-Code of the whole command."""
    orphans: int = 0
    """Sessions settled because a new bearer took their place."""
    silent: int = 0
    """Sessions settled because nothing was heard of them."""
    overrun_octets: int = 0
    unbooked_octets: int = 0
    """Reported by sessions that nobody knows: no account could be found to book them on."""


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
    octets_per_second: int

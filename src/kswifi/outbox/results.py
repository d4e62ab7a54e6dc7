"""The results of an outbox handler; every floor with handlers uses them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kswifi.outbox.model import Entry


@dataclass(frozen=True, slots=True)
class Done:
    """The effect has happened and is durable."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The work will never be done, for this reason. The handler has informed those concerned."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It is unknown whether the work was done, or it cannot be done now: try again later."""

    reason: str


JobResult = Done | Refused | Unknown
Handler = Callable[[Entry], Awaitable[JobResult]]

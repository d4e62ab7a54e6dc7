"""What became of an entry: a handler's answer, known on every floor that has handlers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kswifi.outbox.model import Entry


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is there, and durable."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never be done, for this reason; the handler has told whoever must know."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows yet whether it was done, or it cannot be done now: look again later."""

    reason: str


JobResult = Done | Refused | Unknown
Handler = Callable[[Entry], Awaitable[JobResult]]

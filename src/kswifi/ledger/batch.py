"""What gathers while the journal writes, and how much of it there may be."""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from kswifi.ledger.commands import Outcome
from kswifi.ledger.effects import Effect

IN_FLIGHT: Final = 2
"""Records given to the writer at once: it never waits for the loop between two."""

Done: TypeAlias = Callable[[Outcome], None]


class Limits(msgspec.Struct, frozen=True):
    """What the ledger takes on; beyond it, commands are turned away before they are applied."""

    waiting_commands: int = 16_384
    batch_commands: int = 1_024
    reservations: int = 2_000_000
    """Open ones and those still remembered; new ones are turned away beyond, others never."""
    snapshot_effects: int = 1_000_000
    """Effects after which a snapshot is made in the background."""


class LedgerFigures(msgspec.Struct, frozen=True):
    """What a ledger has to do and has done since its start."""

    waiting_commands: int
    records_in_flight: int
    answered_commands: int
    durable_sequence: int
    """Of the newest record; each record is one batch."""
    reservations: int
    """Open, or closed and still remembered."""


class Batch:
    """The commands that become one record: their effects, and who waits for which outcome."""

    __slots__ = ("at", "effects", "waiting")

    def __init__(self, at: int) -> None:
        self.at = at
        self.effects: list[Effect] = []
        self.waiting: list[tuple[Done, Outcome]] = []


def nobody_told(error: BaseException) -> None:
    """Stand in for a hook that was not set; the error is in the log."""


def nobody_waits(sequence: int) -> None:
    """Stand in for a hook that was not set."""

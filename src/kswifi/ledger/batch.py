"""Batches of commands that wait for the journal, and the limits on them."""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from kswifi.ledger.commands import Outcome
from kswifi.ledger.effects import Effect

IN_FLIGHT: Final = 2
"""Records handed to the writer thread at once, so that it never waits for the event loop between two records."""

RETRY_SECONDS: Final = 0.2
"""How often a record is appended again while the disk is full."""

Done: TypeAlias = Callable[[Outcome], None]


class Limits(msgspec.Struct, frozen=True):
    """The limits of the ledger's memory. Commands beyond them are refused before they are applied."""

    waiting_commands: int = 16_384
    batch_commands: int = 1_024
    reservations: int = 2_000_000
    """Open and remembered reservations. Beyond it new ones are refused; commands on existing ones are not."""
    snapshot_effects: int = 1_000_000
    """Effects after which a snapshot is made in the background."""


class LedgerFigures(msgspec.Struct, frozen=True):
    """The ledger's load now, and its work since the start."""

    waiting_commands: int
    records_in_flight: int
    answered_commands: int
    durable_sequence: int
    """The sequence of the newest durable record; each record is one batch."""
    reservations: int
    """Open reservations, and closed ones that are still remembered."""


class Batch:
    """Commands that become one journal record: their effects, and the callbacks that wait for their outcomes."""

    __slots__ = ("at", "effects", "waiting")

    def __init__(self, at: int) -> None:
        self.at = at
        self.effects: list[Effect] = []
        self.waiting: list[tuple[Done, Outcome]] = []


def nothing_to_free() -> None:
    """Free nothing: the default of the ``out_of_space`` hook."""


def nobody_told(error: BaseException) -> None:
    """Ignore an error: the default of the ``fatal`` hook. The error is in the log."""


def nobody_waits(sequence: int) -> None:
    """Ignore a durable sequence: the default of the ``on_durable`` hook."""

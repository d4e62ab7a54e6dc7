"""What sessions need from outside: the ledger's commands and journal, and the network of a request."""

from collections.abc import Sequence
from typing import Protocol

from kswifi.ledger.commands import Command, Outcome
from kswifi.ledger.effects import Effect


class LedgerCommands(Protocol):
    """The part of the ledger that executes commands of the control plane."""

    async def execute(self, command: Command) -> Outcome:
        """Apply a command; return its outcome once it is durable in the journal."""
        ...


class LedgerJournal(Protocol):
    """The part of the ledger that the projector reads."""

    def read_effects(self, after_sequence: int, limit: int) -> Sequence[tuple[int, tuple[Effect, ...]]]:
        """Return up to ``limit`` journal records after a sequence number, oldest first."""
        ...


class NetworkAccess(Protocol):
    """Tells whether a request came over an internet session and not over WiFi."""

    async def is_over_session(self, host: str, port: int) -> bool:
        """Tell it for the client address and port of the request."""
        ...

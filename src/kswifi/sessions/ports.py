"""What sessions need from outside: the ledger's commands, and where a request came from."""

from collections.abc import Sequence
from typing import Protocol

from kswifi.ledger.commands import Command, Outcome
from kswifi.ledger.effects import Effect


class LedgerCommands(Protocol):
    """The ledger, as far as the control plane commands it."""

    async def execute(self, command: Command) -> Outcome:
        """Apply a command; return once it is durable."""
        ...


class LedgerJournal(Protocol):
    """The ledger, as far as the projector reads it."""

    def read_effects(self, after_sequence: int, limit: int) -> Sequence[tuple[int, tuple[Effect, ...]]]:
        """Return up to ``limit`` records after a sequence, oldest first."""
        ...


class NetworkAccess(Protocol):
    """Tells whether a request came over an internet session instead of WiFi."""

    async def is_over_session(self, host: str, port: int) -> bool:
        """Tell it of the socket that the request came from."""
        ...

"""What other capabilities need of the ledger; ``LedgerClient`` serves all of it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from kswifi.ledger.commands import Ask, Command, Outcome
from kswifi.ledger.effects import Effect
from kswifi.ledger.state import AccountView, ReservationView, WalletView


class LedgerCommands(Protocol):
    """The ledger as the control plane commands it."""

    async def execute(self, command: Command) -> Outcome:
        """Apply a command; return once it is durable."""
        ...


class LedgerJournal(Protocol):
    """The ledger as readers follow it."""

    def read_effects(self, after_sequence: int, limit: int) -> Sequence[tuple[int, tuple[Effect, ...]]]:
        """Return up to ``limit`` records after a sequence, oldest first."""
        ...


class LedgerAccounts(Protocol):
    """Questions about accounts, answered from memory."""

    def account(self, account_id: str) -> AccountView | None:
        """Return a copy of an account."""
        ...


class LedgerQueries(LedgerAccounts, Protocol):
    """Questions answered from memory, never from disk."""

    def wallet_of_imsi(self, imsi: str) -> str | None:
        """Return the id of the wallet with this IMSI, or None."""
        ...

    def wallet(self, wallet_id: str) -> WalletView | None:
        """Return a copy of a wallet."""
        ...

    def account(self, account_id: str) -> AccountView | None:
        """Return a copy of an account."""
        ...

    def available_octets(self, account_id: str) -> int | None:
        """Return the available octets of an account; None for an uncapped or unknown account."""
        ...

    def settled_at(self, reservation_id: str, command_id: str) -> int | None:
        """Return when the ``Release`` of this id settled a reservation; None if it did not or is forgotten."""
        ...

    def reservation(self, reservation_id: str) -> ReservationView | None:
        """Return a reservation; closed ones are included while they are remembered."""
        ...

    def open_reservations(self) -> Iterator[ReservationView]:
        """Yield all open reservations; for the start only."""
        ...


class Ledger(Protocol):
    """The ledger as charging uses it: applies commands durably, in the order in which they were submitted."""

    @property
    def state(self) -> LedgerQueries:
        """The state in memory."""
        ...

    @property
    def room(self) -> int:
        """How many commands can be submitted now."""
        ...

    def submit(self, command: Command, done: Callable[[Outcome], None]) -> None:
        """Apply a command; ``done`` is called on the loop's thread once it is durable.

        Raises:
            LedgerBusyError: the queue is full, and the command was not applied.
        """
        ...

    def commit_ordinary(
        self,
        reservation_id: str,
        command_id: str,
        used_octets: int,
        ask: Ask | None,
        note: str,
        done: Callable[[Outcome], None],
    ) -> bool:
        """Apply a ``Commit`` that reserves anew, or closes without an ask, as ``submit`` does, if it is ordinary.

        Returns:
            False with nothing changed if it is not, or cannot be applied now: then ``submit`` decides.
        """
        ...

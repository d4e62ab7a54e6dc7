"""The control plane of the simulation: the product's steps on a database in memory, and the ledger's rules.

Faults are injected where a process can die: before or after a commit of the database, before or after a command of
the ledger. The journal and the disk are left out here: ``scenario`` simulates them.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import RootTransaction
from sqlalchemy.pool import StaticPool

from kswifi.database.engine import Database, Step, metadata
from kswifi.database.writer import AFTER_COMMIT, INSTANT, TOPICS
from kswifi.kernel.clock import Clock, unix_seconds
from kswifi.ledger.commands import Command, Outcome
from kswifi.ledger.effects import Effect, Received, Sent
from kswifi.ledger.errors import LedgerBusyError, LedgerClosedError
from kswifi.ledger.model import apply
from kswifi.ledger.state import LedgerState
from kswifi.ledger.verify import verify
from kswifi.simulation.errors import PowerLostError, SimulationFailedError

_T = TypeVar("_T")


class Faults:
    """Decides where a process dies, or an answer is lost; ``odds`` is the probability at each place."""

    def __init__(self, random: Random, odds: float) -> None:
        self.odds = odds
        self.count = 0
        self._random = random

    def strikes(self) -> bool:
        """Return whether the fault happens here."""
        struck = self._random.random() < self.odds
        self.count += struck
        return struck


class MemoryDatabase(Database):
    """The control plane's database in memory, on one connection; a write may lose its power before or after COMMIT.

    The seeds of one process share it: ``begin_seed`` empties it.
    """

    def __init__(self) -> None:
        engine = create_engine(
            "sqlite://",
            poolclass=StaticPool,
            connect_args={"isolation_level": None, "check_same_thread": False},
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        self._connection: Final[Connection] = engine.connect()
        with self._connection.begin():
            metadata.create_all(self._connection)
        self.faults: Faults | None = None

    def begin_seed(self, clock: Clock, faults: Faults) -> None:
        """Delete all rows, and take the clock and the faults of the next seed."""
        self.clock, self.faults = clock, None
        with self._connection.begin():
            for table in reversed(metadata.sorted_tables):
                self._connection.execute(table.delete())
        self.faults = faults

    async def write(self, step: Step[_T], *, alone: bool = False, wait_seconds: float | None = None) -> _T:  # noqa: ARG002 - as Database
        """Run a step in a transaction.

        Raises:
            PowerLostError: the process died; whether the step was committed is not told.
        """
        faults = self.faults
        with self._transaction():
            result = step(self._connection)
            if faults is not None and faults.strikes():
                raise PowerLostError
        if faults is not None and faults.strikes():
            raise PowerLostError
        return result

    async def read(self, step: Step[_T]) -> _T:
        """Run a step that reads."""
        return self.now(step)

    def now(self, step: Step[_T]) -> _T:
        """Run a step that reads, for checks outside of the product."""
        with self._transaction():
            return step(self._connection)

    def _transaction(self) -> RootTransaction:
        info = self._connection.info
        info[INSTANT], info[TOPICS], info[AFTER_COMMIT] = self.clock.now(), set(), []
        return self._connection.begin()


class RuleLedger:
    """The ledger's rules without a journal; it checks each effect that concerns a transfer.

    ``is_proved`` tells whether a card has proved that it stores the session of an account.
    """

    def __init__(self, clock: Clock, faults: Faults, is_proved: Callable[[str], bool]) -> None:
        self.state = LedgerState()
        self.records: list[tuple[int, tuple[Effect, ...]]] = []
        self.in_transit: dict[str, int] = {}
        """The octets of each transfer that the ledger sent and has not received."""
        self._clock = clock
        self._faults = faults
        self._is_proved = is_proved

    async def execute(self, command: Command) -> Outcome:
        """Apply a command.

        Raises:
            LedgerBusyError: it was not applied.
            LedgerClosedError: the answer is lost; whether it was applied is not told.
        """
        if self._faults.strikes():
            raise LedgerBusyError("simulated")
        outcome = self.apply(command)
        if self._faults.strikes():
            raise LedgerClosedError("simulated")
        return outcome

    def apply(self, command: Command) -> Outcome:
        """Apply a command without faults, and check its effects."""
        outcome, effects = apply(self.state, command, unix_seconds(self._clock.now()))
        if effects:
            self.records.append((len(self.records) + 1, effects))
        for effect in effects:
            self._check(effect)
        if violations := verify(self.state):
            raise SimulationFailedError("; ".join(violations))
        return outcome

    def read_effects(self, after_sequence: int, limit: int) -> Sequence[tuple[int, tuple[Effect, ...]]]:
        """Return up to ``limit`` records after a sequence."""
        return self.records[after_sequence : after_sequence + limit]

    def _check(self, effect: Effect) -> None:
        if isinstance(effect, Sent):
            if effect.transfer_id in self.in_transit:
                raise SimulationFailedError(f"{effect.transfer_id} was sent twice")
            self.in_transit[effect.transfer_id] = effect.octets
        elif isinstance(effect, Received):
            if self.in_transit.get(effect.transfer_id) != effect.octets:
                raise SimulationFailedError(f"{effect.transfer_id} was received and is not in transit")
            self.in_transit[effect.transfer_id] = 0
            if not self._is_proved(effect.account_id):
                raise SimulationFailedError(f"{effect.transfer_id} became spendable before the card's proof")

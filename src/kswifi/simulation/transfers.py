"""Transfers between wallets in the simulation: octets that were sent are received, or returned after a refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from kswifi.ledger import commands as do
from kswifi.ledger.commands import Outcome, OutcomeCode
from kswifi.ledger.state import LedgerState
from kswifi.simulation.errors import SimulationFailedError
from kswifi.simulation.world import World

Execute: TypeAlias = Callable[[do.Command, Callable[[Outcome], None]], None]

_TWICE: Final = 0.4
"""The probability that the outbox delivers a command a second time."""
_UNKNOWN_RECEIVER: Final = 0.1
"""The probability that the account that shall receive is unknown, so that the octets are returned."""


@dataclass(frozen=True, slots=True)
class _Transfer:
    number: int
    from_account_id: str
    to_account_id: str
    octets: int

    def command_id(self, part: str) -> str:
        return f"gift:{self.number}:{part}"


class Transfers:
    """Sends octets from one account to another, as the control plane does for gifts and moves."""

    def __init__(self, world: World, execute: Execute) -> None:
        self._world = world
        self._execute = execute
        self._begun = 0
        self.in_transit: dict[int, int] = {}
        """The octets of each transfer that was sent and is not received or returned yet."""
        self.lost: dict[int, int] = {}
        """The octets of each transfer whose giver was forgotten before they could be returned."""

    def begin(self, from_account_id: str, to_account_id: str, octets: int) -> None:
        """Send octets; once they are sent, the receiver's account receives them."""
        self._begun += 1
        chance = self._world.random
        receiver = "no-such-account" if chance.random() < _UNKNOWN_RECEIVER else to_account_id
        it = _Transfer(self._begun, from_account_id, receiver, octets)
        name = it.command_id("send")
        self._deliver(do.Send(name, from_account_id, octets, name, chance.random() < 0.5), partial(self._sent, it))

    def check_end(self, state: LedgerState, closed: int) -> None:
        """Check that what was sent and not received is exactly what is in transit.

        ``closed``: octets sent minus octets received of accounts that the ledger has forgotten.
        """
        net = closed + sum(it.transferred_out - it.transferred_in for it in state.accounts.values())
        kept = sum(self.in_transit.values()) + sum(self.lost.values())
        if net != kept:
            raise SimulationFailedError(f"{net} octets were sent and not received, and {kept} are in transit")
        if self.in_transit:
            raise SimulationFailedError(f"transfers did not end: {sorted(self.in_transit)}")

    def _deliver(self, command: do.Command, done: Callable[[Outcome], None]) -> None:
        self._execute(command, done)
        if self._world.random.random() < _TWICE:
            again = partial(self._execute, command, lambda _outcome: None)
            self._world.after(self._world.random.uniform(0.0, 10.0), again)

    def _sent(self, it: _Transfer, outcome: Outcome) -> None:
        if outcome.code is not OutcomeCode.DONE:
            return
        self.in_transit[it.number] = it.octets
        command = do.Receive(it.command_id("receive"), it.to_account_id, it.octets, it.command_id("send"))
        wait = self._world.random.uniform(0.0, 3.0)
        self._world.after(wait, partial(self._deliver, command, partial(self._received, it)))

    def _received(self, it: _Transfer, outcome: Outcome) -> None:
        if outcome.code is OutcomeCode.DONE:
            del self.in_transit[it.number]
            return
        command = do.Receive(it.command_id("return"), it.from_account_id, it.octets, it.command_id("send"))
        self._deliver(command, partial(self._returned, it))

    def _returned(self, it: _Transfer, outcome: Outcome) -> None:
        octets = self.in_transit.pop(it.number)
        if outcome.code is not OutcomeCode.DONE:
            self.lost[it.number] = octets

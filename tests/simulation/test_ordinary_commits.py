"""Random histories by the shorter way for ordinary commits and by the rules: the same outcomes and states."""

from random import Random

import msgspec

from kswifi.ledger import commands as do
from kswifi.ledger.command_context import Work
from kswifi.ledger.effects import Effect
from kswifi.ledger.model import apply, apply_by_rules, forget_due
from kswifi.ledger.ordinary_commits import commit_ordinary
from kswifi.ledger.state import LedgerState, Retention
from tests.simulation.test_ledger import NOW, Step, history

SEEDS = 120
LENGTH = 150
LARGE = 25
"""How much larger an account is in half of the histories: there most commits are ordinary."""


def _steps(seed: int) -> list[Step]:
    steps = history(Random(seed), LENGTH)
    if seed % 2:
        return steps
    return [(_enlarged(command), pause) for command, pause in steps]


def _enlarged(command: do.Command) -> do.Command:
    if isinstance(command, do.Credit) and command.amount_octets:
        return msgspec.structs.replace(command, amount_octets=command.amount_octets * LARGE)
    return command


def _everything(state: LedgerState) -> tuple[object, ...]:
    stored = (state.wallets, state.accounts, state.reservations, state.answers)
    return (*map(msgspec.msgpack.encode, stored), state.forgettable, state.supervised, state.exhausted_since)


def test_that_the_shorter_way_does_what_the_rules_do() -> None:
    ordinary = commits = 0
    for seed in range(SEEDS):
        short, ruled = LedgerState(Retention(20, 40, 60, 30)), LedgerState(Retention(20, 40, 60, 30))
        at = NOW
        for number, (command, pause) in enumerate(_steps(seed)):
            at += pause
            assert forget_due(short, at) == forget_due(ruled, at)
            expected: tuple[do.Outcome, tuple[Effect, ...]] = apply_by_rules(ruled, command, at)
            if isinstance(command, do.Commit):
                commits += 1
                before = _everything(short)
                work = Work(short, at)
                outcome = commit_ordinary(work, command)
                if outcome is None:
                    assert not work.effects
                    assert _everything(short) == before, f"seed {seed}, step {number}: declined and yet changed"
                    found = apply_by_rules(short, command, at)
                else:
                    found = outcome, tuple(work.effects)
                    ordinary += 1
            else:
                found = apply(short, command, at)
            assert found == expected, f"seed {seed}, step {number}: {command}"
            assert _everything(short) == _everything(ruled), f"seed {seed}, step {number}: {command}"
    assert ordinary > commits / 10, f"only {ordinary} of {commits} commits took the shorter way"


def test_that_withheld_octets_keep_an_account_open_in_both_ways() -> None:
    opening: list[Step] = [
        (do.OpenWallet("open", "w", "62199000001"), 0),
        (do.Credit("credit", "w", "a", 10, NOW + 900, withheld_octets=5), 0),
        (do.ProveStorage("prove", "a", "por"), 0),
        (do.Reserve("s#0", "s", "w", do.Ask(10, 10, NOW + 900)), 0),
    ]
    short, ruled = LedgerState(Retention()), LedgerState(Retention())
    for state in (short, ruled):
        for command, _ in opening:
            apply_by_rules(state, command, NOW)
    work, last = Work(short, NOW), do.Commit("s#1", "s", 5, close=True)
    assert commit_ordinary(work, last) == apply_by_rules(ruled, last, NOW)[0]
    assert _everything(short) == _everything(ruled)
    assert short.accounts["a"].status == "open"

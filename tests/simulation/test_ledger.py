"""Random histories: the ledger against a second one, its invariants, and what its journal and snapshots tell."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.ledger import commands as do
from kswifi.ledger.apply_effects import replay
from kswifi.ledger.effects import Committed, Effect, Overran, Received, Refunded, Reported, Sent
from kswifi.ledger.limits import jitter_seconds, used_octets
from kswifi.ledger.model import apply, forget_due
from kswifi.ledger.state import LedgerState, Retention, reasons_of
from kswifi.ledger.storage.journal import Head, Record, effects_of, next_record
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.verify import verify
from tests.support.ledger_reference import Reference

NOW = 1_800_000_000
SEEDS = 150
LENGTH = 150
ENDED = 30
DAY = 86_400
PAUSE_ENDS = [NOW + 60, NOW + 150, NOW + 300]
DAYS = [NOW - DAY - jitter_seconds("w1") + 200, NOW - DAY + 100]

KINDS = (
    "credit",
    "prove",
    "disburse",
    "hold",
    "lift",
    "until",
    "ends",
    "limit",
    "lifts limit",
    "order",
    "next",
    "freeze",
    "send",
    "receive",
    "refund",
    "report",
    "expire",
    "revoke",
    "close",
)

Step = tuple[do.Command, int]


def ask_of(chance: Random) -> do.Ask:
    shrinks = chance.random() < 0.2
    return do.Ask(chance.randint(1, 12), chance.choice((0, 12)), NOW + chance.randint(0, 900), shrinks)


def fresh(chance: Random, letter: str, number: int) -> str:
    """Return one of a few names in use about now; as a history goes on, others follow."""
    return f"{letter}{1 + number // 20 + chance.randint(0, 3)}"


def spending(chance: Random, number: int) -> do.Command:
    reservation = fresh(chance, "s", number)
    command_id = f"{reservation}#{number}"
    kind = chance.choices(("reserve", "admit", "commit", "close", "release"), (8, 2, 12, 1, 1))[0]
    wallet = ("w1", "w2", "w1", "w1")[int(reservation[1:]) % 4]
    if kind == "reserve":
        return do.Reserve(command_id, reservation, wallet, ask_of(chance), admit=chance.random() < 0.5)
    if kind == "admit":
        wallet = chance.choice((wallet, wallet, do.NOBODY))
        return do.Admit(command_id, reservation, wallet, NOW + chance.randint(0, 900), over=chance.random() < 0.3)
    if kind == "release":
        return do.Release(command_id, reservation)
    used = chance.choice((0, chance.randint(1, 8), chance.randint(1, 25)))
    return do.Commit(command_id, reservation, used, None if kind == "close" else ask_of(chance), kind == "close")


def control(chance: Random, number: int) -> do.Command:  # noqa: C901, PLR0911, PLR0912 - one line a verb
    kind = chance.choices(KINDS, (8, 9, 4, 2, 7, 2, 6, 3, 1, 3, 2, 2, 4, 3, 2, 6, 2, 1, 3))[0]
    command_id, wallet, account = f"c{number}", chance.choice(("w1", "w1", "w2")), fresh(chance, "a", number)
    other = fresh(chance, "a", number)
    match kind:
        case "credit":
            amount = chance.choice((None, 0, *(chance.randint(1, 60) for _ in range(6))))
            until = NOW + number * 4 + chance.randint(1, 600)
            withheld = chance.choice((0, chance.randint(0, amount - 1))) if amount else 0
            return do.Credit(command_id, wallet, account, amount, until, withheld)
        case "disburse":
            return do.Disburse(command_id, account, chance.randint(1, 60))
        case "prove":
            ordered_at = chance.choice((0, NOW + number * 4 + chance.randint(-60, 60)))
            return do.ProveStorage(command_id, account, "por", ordered_at)
        case "hold":
            return do.HoldWallet(command_id, wallet, chance.choice(("paused", "exhausted")))
        case "until":
            return do.PauseUntil(command_id, wallet, chance.choice(PAUSE_ENDS))
        case "ends" if chance.random() < 0.5:
            return do.EndHold(command_id, wallet, "paused", chance.choice(PAUSE_ENDS))
        case "ends":
            return do.EndHold(command_id, wallet, "limited", chance.choice(DAYS) + DAY + jitter_seconds(wallet))
        case "limit":
            # Some days begin while the history runs.
            octets = chance.choice((None, chance.randint(1, 10), chance.randint(1, 60)))
            return do.LimitDay(command_id, wallet, octets, chance.choice(DAYS))
        case "lifts limit":
            return do.LiftLimit(command_id, wallet)
        case "close":
            return do.Close(command_id, account)
        case "lift":
            return do.LiftHold(command_id, wallet, chance.choice((None, account)))
        case "order":
            return do.OrderWallet(command_id, wallet, (account,) if other == account else (other, account))
        case "next":
            return do.ContinueWithNext(command_id, wallet, chance.random() < 0.5)
        case "freeze":
            return do.Freeze(command_id, wallet, chance.random() < 0.3)
        case "send":
            return do.Send(command_id, account, chance.randint(1, 20), f"t{number}", chance.random() < 0.5)
        case "receive":
            return do.Receive(command_id, account, chance.randint(1, 20), f"t{number}")
        case "refund":
            return do.Refund(command_id, wallet, chance.randint(1, 20))
        case "report":
            return do.ReportUsage(command_id, account, chance.randint(0, 40), NOW)
        case "expire":
            return do.Expire(command_id, account)
        case _:
            return do.Revoke(command_id, account, "fraud")


def history(chance: Random, length: int) -> list[Step]:
    """Random commands with the seconds before each; every sixth repeats an id, often with the same content."""
    steps = opening()
    for number in range(length):
        pause = chance.choice((0, 0, 1, chance.randint(0, 20)))
        if chance.random() < 1 / 6:
            number = chance.randint(0, number)  # noqa: PLW2901 - an earlier number: another content, mostly
            if chance.random() < 0.7:
                steps.append((chance.choice(steps)[0], pause))
                continue
        steps.append(((spending if chance.random() < 0.75 else control)(chance, number), pause))
    return steps


def opening() -> list[Step]:
    """Two wallets with an account each, so that random histories get to the interesting part."""
    return [
        (do.OpenWallet("open-1", "w1", "62199000001"), 0),
        (do.OpenWallet("open-2", "w2", "62199000002"), 0),
        (do.Credit("first-1", "w1", "a1", 40, NOW + 900), 0),
        (do.Credit("first-2", "w1", "a2", 15, NOW + 400, 8), 0),
        (do.ProveStorage("first-3", "a1", "por"), 0),
        (do.ProveStorage("first-4", "a2", "por"), 0),
        (do.Credit("first-5", "w2", "a3", None, NOW + 300), 0),
        (do.ProveStorage("first-6", "a3", "por"), 0),
    ]


def image(state: LedgerState) -> object:
    """Everything of a state that counts; the two heaps are derived from it."""
    held = {
        key: (it.wallet_id, it.account_id, it.reserved, it.expires_at, it.note, it.closed, it.forget_at, it.answers)
        for key, it in state.reservations.items()
    }
    limits = (state.hold_ends, state.day_limits)
    return state.wallets, state.accounts, held, state.answers, state.imsis, state.exhausted_since, limits


def check_rules(steps: list[Step]) -> None:
    state, reference, at = LedgerState(Retention(ended_seconds=ENDED)), Reference(ENDED), NOW
    for place, (command, pause) in enumerate(steps):
        at += pause
        outcome, _ = apply(state, command, at)
        told = (str(outcome.code), outcome.granted_octets, outcome.committed_octets, outcome.overrun_octets)
        assert told == reference.apply(command, at), (place, command)
        assert verify(state) == [], (place, command)
        assert set(reference.accounts) == set(state.accounts), (place, command)
        for name, account in reference.accounts.items():
            real = state.accounts[name]
            held = sum(account.held.values())
            assert (real.used, real.overrun, real.reserved) == (account.used, account.overrun, held), place
            assert real.withheld == account.kept_back, place
            assert (real.transferred_in, real.transferred_out) == (account.moved_in, account.moved_out), place
            assert real.status == (account.ended or "open"), place
        for name, wallet in reference.wallets.items():
            assert state.wallets[name].unbooked == wallet.unbooked, (place, command)
            assert reasons_of(state.wallets[name].hold) == wallet.holds, (place, command)
            ends = {reason: it for (held, reason), it in state.hold_ends.items() if held == name}
            assert ends == wallet.ends, (place, command)
            if wallet.limit is None:
                assert name not in state.day_limits, (place, command)
            else:
                assert used_octets(state.day_limits[name], at) == wallet.limit.spent, (place, command)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_ledger_does_what_the_rules_say(seed: int) -> None:
    check_rules(history(Random(seed), LENGTH))


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_ledger_does_what_the_rules_say_in_short_histories(chance: Random) -> None:
    check_rules(history(chance, 40))


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_many_long_histories(block: int) -> None:
    for seed in range(1000 * (block + 1), 1000 * (block + 2)):
        try:
            check_rules(history(Random(seed), 400))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.parametrize("seed", range(40))
def test_journal_and_snapshot_tell_the_same_state(seed: int, tmp_path: Path) -> None:
    retention = Retention(closed_seconds=20, settled_seconds=40, control_seconds=60, natural_seconds=30)
    state, at, head, records = LedgerState(retention), NOW, Head(), list[Record]()
    store, steps = SnapshotStore(tmp_path), history(Random(seed), LENGTH)
    for place, (command, pause) in enumerate(steps):
        at += pause
        effects = (*forget_due(state, at), *apply(state, command, at)[1])
        assert verify(state) == []
        if effects:
            record = next_record(head, at, effects)
            head = Head(record.sequence, record.digest)
            records.append(record)
        if place == seed * 3:
            store.write(state, head)
    from_snapshot, point = store.load(store.paths()[0], retention)
    for retold, tail in ((LedgerState(retention), records), (from_snapshot, records[point.sequence :])):
        for record in tail:
            for effect in effects_of(record):
                replay(retold, effect)
        assert image(retold) == image(state)
        assert sorted(retold.forgettable) == sorted(state.forgettable)
        assert verify(retold) == []
        now, ever = NOW + 450, NOW + 10**6
        assert {it.reservation_id for it in retold.overdue(now, 99)} == {
            key for key, it in state.reservations.items() if not it.closed and it.expires_at <= now
        }
        assert {it.reservation_id for it in state.overdue(ever, 99)} == {
            it.reservation_id for it in state.open_reservations()
        }


@pytest.mark.parametrize("seed", range(20))
def test_every_command_twice_changes_nothing(seed: int) -> None:
    state, at = LedgerState(), NOW
    for command, pause in history(Random(seed), LENGTH):
        at += pause
        outcome, effects = apply(state, command, at)
        again, more = apply(state, command, at)
        if effects:
            assert again == outcome, command
        assert more == (), command


@pytest.mark.parametrize("seed", range(20))
def test_effects_account_for_every_octet(seed: int) -> None:
    """A reader that only adds up effects comes to the same sums: what a projector relies on."""
    state, at, seen = LedgerState(), NOW, list[Effect]()
    for command, pause in history(Random(seed), LENGTH):
        at += pause
        seen += apply(state, command, at)[1]
    for name, account in state.accounts.items():
        committed = [it for it in seen if isinstance(it, Committed) and it.account_id == name]
        overran = [it for it in seen if isinstance(it, Overran) and it.account_id == name]
        refunded = [it for it in seen if isinstance(it, Refunded) and it.account_id == name]
        reported = [it for it in seen if isinstance(it, Reported) and it.account_id == name]
        used = sum(it.octets for it in committed) + sum(it.octets for it in reported)
        used -= sum(it.octets for it in refunded)
        assert used == account.used
        overrun = sum(it.octets for it in overran) + sum(it.overrun_octets for it in reported)
        assert overrun == account.overrun
        assert sum(it.octets + it.overrun_octets for it in reported) == account.reported
        firsts = sum(it.first for it in committed) + sum(it.first for it in reported)
        assert firsts == (1 if account.first_used_at else 0)
        sent = (it for it in seen if isinstance(it, Sent) and it.account_id == name)
        assert sum(it.octets for it in sent) == account.transferred_out
        received = (it for it in seen if isinstance(it, Received) and it.account_id == name)
        assert sum(it.octets for it in received) == account.transferred_in

"""The client: answers only what is durable, batches by itself, and ends for good when an append fails."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kswifi.kernel.clock import unix_seconds
from kswifi.ledger import commands as do
from kswifi.ledger import inspect, model
from kswifi.ledger.batch import IN_FLIGHT, Limits
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Ask, Command, Outcome
from kswifi.ledger.effects import Committed
from kswifi.ledger.errors import (
    LedgerBusyError,
    LedgerClosedError,
    LedgerDamagedError,
    LedgerError,
    LedgerFailedError,
    LedgerLockedError,
)
from kswifi.ledger.storage.journal import Record, instant_of
from kswifi.ledger.storage.recovery import recover
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.snapshot_process import write_in_child
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.ledger.verify import verify
from tests.support.clocks import ManualClock
from tests.support.journal_effects import history
from tests.support.ledgers import open_ledger
from tests.support.memory_journal import MemoryJournal

pytestmark = pytest.mark.timeout(30)

CLOCK = ManualClock(datetime(2027, 1, 15, 8, 0, tzinfo=UTC))
NOW = unix_seconds(CLOCK.now())
ASK = Ask(10, 10, NOW + 600)


class GatedJournal(MemoryJournal):
    """A memory journal whose appends wait until they are let through, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.error: OSError | None = None
        self.attempts = 0

    def append(self, record: Record) -> None:
        assert self.gate.acquire(timeout=10)
        self.attempts += 1
        if self.error is not None:
            raise self.error
        super().append(record)

    def let_through(self, count: int = 1000) -> None:
        self.gate.release(count)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - conditions of all kinds, and nobody to set an event
        await asyncio.sleep(0.001)


def opening(octets: int = 1000) -> list[Command]:
    return [
        do.OpenWallet("open", "w", "62199"),
        do.Credit("credit", "w", "a", octets, NOW + 10**6),
        do.ProveStorage("prove", "a", "por"),
        do.Reserve("s#0", "s", "w", ASK),
    ]


async def test_an_answer_comes_only_when_it_is_durable_and_a_turn_is_one_record() -> None:
    journal, answers, durable = GatedJournal(), list[Outcome](), list[int]()
    client = LedgerClient(journal, CLOCK)
    client.on_durable = durable.append
    await client.start()
    for command in opening():
        client.submit(command, answers.append)
    await turns()
    assert answers == []
    assert client.read_effects(0, 10) == []
    assert client.durable_sequence == 0
    journal.let_through()
    await until(lambda: len(answers) == 4)
    assert [it.code for it in answers] == ["done"] * 4
    assert answers[3].granted_octets == 10
    assert (len(journal.records), client.durable_sequence, durable) == (1, 1, [1])
    await client.close()


async def test_while_records_are_written_the_next_one_gathers() -> None:
    journal, answers = GatedJournal(), list[Outcome]()
    client = LedgerClient(journal, CLOCK)
    await client.start()
    for command in opening():
        client.submit(command, answers.append)
        await turns()
    for number in range(1, 8):
        client.submit(do.Commit(f"s#{number}", "s", 1, ASK), answers.append)
        await turns()
    journal.let_through()
    await until(lambda: len(answers) == 11)
    assert len(journal.records) == IN_FLIGHT + 1
    await client.close()


async def test_a_replay_of_what_is_still_being_written_waits_for_it() -> None:
    journal, answers = GatedJournal(), list[Outcome]()
    client = LedgerClient(journal, CLOCK)
    await client.start()
    for command in opening():
        client.submit(command, answers.append)
    await turns()
    client.submit(opening()[-1], answers.append)
    client.submit(do.Commit("x", "unknown", 1), answers.append)
    await turns()
    assert answers == []
    journal.let_through()
    await until(lambda: len(answers) == 6)
    assert answers[4] == answers[3]
    assert answers[5].code == "unknown_reservation"
    assert len(journal.records) == 1
    await client.close()


async def test_a_failed_append_is_final_and_nobody_is_answered() -> None:
    journal, answers, told = GatedJournal(), list[Outcome](), list[BaseException]()
    client = LedgerClient(journal, CLOCK)
    client.fatal = told.append
    await client.start()
    journal.let_through(1)
    await client.execute(opening()[0])
    journal.error = OSError(28, "No space left on device")
    for command in opening()[1:]:
        client.submit(command, answers.append)
        await turns()
    waiting = asyncio.create_task(client.execute(do.Commit("s#1", "s", 3, ASK)))
    await turns()
    journal.let_through()
    with pytest.raises(LedgerFailedError, match="No space left"):
        await waiting
    assert told == [journal.error]
    with pytest.raises(LedgerFailedError):
        client.submit(do.Commit("s#2", "s", 3, ASK), answers.append)
    with pytest.raises(LedgerFailedError):
        _ = client.state
    await asyncio.sleep(0.02)
    assert answers == []
    assert journal.attempts == 2  # what was queued behind the failed one is not tried
    await client.close()
    journal.error = None
    again = LedgerClient(journal, CLOCK)
    await again.start()
    assert again.state.account("a") is None
    assert again.state.wallet_of_imsi("62199") == "w"
    await again.close()


async def test_a_fault_in_the_rules_ends_the_ledger_before_it_can_write_nonsense(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    journal, answers, told = GatedJournal(), list[Outcome](), list[BaseException]()
    complaints = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    client = LedgerClient(journal, CLOCK)
    client.fatal = told.append
    await client.start()
    client.submit(opening()[0], answers.append)
    await turns()  # that one is with the writer
    client.submit(opening()[1], answers.append)
    monkeypatch.setattr(model, "apply", broken)
    with pytest.raises(LedgerFailedError):
        client.submit(opening()[2], answers.append)
    journal.let_through()
    await until(lambda: len(journal.records) == 1)
    await turns()
    assert (len(told), answers, complaints, len(journal.records)) == (1, [], [], 1)
    await client.close()


async def test_a_full_queue_turns_away_before_anything_is_applied() -> None:
    journal, answers = GatedJournal(), list[Outcome]()
    client = LedgerClient(journal, CLOCK, limits=Limits(waiting_commands=5, batch_commands=2))
    await client.start()
    for command in opening():
        client.submit(command, answers.append)
    client.submit(do.Commit("s#1", "s", 1, ASK), answers.append)
    with pytest.raises(LedgerBusyError):
        client.submit(do.Commit("s#2", "s", 1, ASK), answers.append)
    assert client.state.accounts["a"].used == 1
    journal.let_through()
    await until(lambda: len(answers) == 5)
    assert len(journal.records) == 3
    assert (await client.execute(do.Commit("s#2", "s", 1, ASK))).committed_octets == 1
    await client.close()


async def test_new_reservations_are_turned_away_first() -> None:
    client = LedgerClient(MemoryJournal(), CLOCK, limits=Limits(reservations=1))
    await client.start()
    for command in opening():
        await client.execute(command)
    with pytest.raises(LedgerBusyError):
        await client.execute(do.Reserve("t#0", "t", "w", ASK))
    assert (await client.execute(do.Reserve("s#1", "s", "w", ASK))).code == "done"
    assert (await client.execute(do.Commit("s#2", "s", 4, ASK))).committed_octets == 4
    await client.close()


async def test_one_callers_fault_does_not_cost_the_others_their_answers() -> None:
    def faulty(_: Outcome) -> None:
        raise ValueError("a caller's bug")

    answers = list[Outcome]()
    client = LedgerClient(MemoryJournal(), CLOCK)
    await client.start()
    client.submit(opening()[0], faulty)
    client.submit(opening()[1], answers.append)
    await until(lambda: len(answers) == 1)
    await client.close()


async def test_closing_answers_what_waits_and_takes_nothing_more(tmp_path: Path) -> None:
    client, answers = open_ledger(tmp_path, CLOCK), list[Outcome]()
    with pytest.raises(LedgerError):
        client.submit(opening()[0], answers.append)
    await client.start()
    with pytest.raises(LedgerLockedError):
        await open_ledger(tmp_path, CLOCK).start()
    for command in opening():
        client.submit(command, answers.append)
    await client.close()
    assert len(answers) == 4
    with pytest.raises(LedgerClosedError):
        client.submit(opening()[0], answers.append)


async def test_a_restart_continues_from_the_snapshot_and_the_tail(tmp_path: Path) -> None:
    client = open_ledger(tmp_path, CLOCK)
    await client.start()
    for command in opening():
        await client.execute(command)
    answer = await client.execute(do.Commit("s#1", "s", 7, ASK))
    await write_in_child(tmp_path)
    second = await client.execute(do.Commit("s#2", "s", 5, ASK))
    effects = [it for _, batch in client.read_effects(4, 100) for it in batch]
    assert [it.octets for it in effects if isinstance(it, Committed)] == [7, 5]
    client._journal.close()  # as a killed process leaves it: no snapshot of the end

    again = open_ledger(tmp_path, CLOCK)
    report = await again.start(at_least=6)
    assert (report.snapshot_sequence, report.records, report.sequence) == (5, 1, 6)
    assert await again.execute(do.Commit("s#1", "s", 7, ASK)) == answer
    assert await again.execute(do.Commit("s#2", "s", 5, ASK)) == second
    assert again.durable_sequence == 6
    balances = again.state.balances("a")
    assert balances is not None
    assert (balances.used, balances.reserved, balances.available) == (12, 10, 978)
    assert verify(again.state) == []
    await again.close()
    with pytest.raises(LedgerDamagedError, match="record 7 is known"):
        await open_ledger(tmp_path, CLOCK).start(at_least=7)


async def test_a_snapshot_is_made_automatically_during_use(tmp_path: Path) -> None:
    client = open_ledger(tmp_path, CLOCK, limits=Limits(snapshot_effects=5))
    await client.start()
    for command in opening():
        await client.execute(command)
    await until(lambda: bool(list(tmp_path.glob("ledger.snapshot.*"))))
    await client.close()


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rubbish"])
async def test_a_damaged_snapshot_is_passed_over_and_told(tmp_path: Path, damage: str) -> None:
    client = open_ledger(tmp_path, CLOCK)
    await client.start()
    for command in opening():
        await client.execute(command)
    await client.close()
    (snapshot,) = SnapshotStore(tmp_path).paths()
    assert snapshot.stat().st_mode & 0o777 == 0o600
    whole = snapshot.read_bytes()
    half = len(whole) // 2
    snapshot.write_bytes({
        "flip": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
        "cut": whole[:half],
        "empty": b"",
        "rubbish": bytes(len(whole)),
    }[damage])  # fmt: skip
    assert len(inspect.verify(tmp_path).damage) == 1
    again = open_ledger(tmp_path, CLOCK)
    report = await again.start()
    assert (report.snapshot_sequence, report.records, len(report.rejected_snapshots)) == (None, 4, 1)
    assert str(snapshot) in report.rejected_snapshots[0]
    assert again.state.balances("a") is not None
    await again.close()


async def test_a_snapshot_that_is_replaced_while_one_looks_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger in use makes snapshots, and deletes the oldest, even between look-up and reading."""
    client = open_ledger(tmp_path, CLOCK)
    await client.start()
    await client.execute(opening()[0])
    await client.close()
    there, gone = SnapshotStore(tmp_path).paths(), tmp_path / "ledger.snapshot.00000000000000000000"
    monkeypatch.setattr(SnapshotStore, "paths", lambda _: [gone, *there])
    assert inspect.verify(tmp_path).damage == ()
    journal = SqliteJournal(tmp_path)
    report = recover(journal, journal.open(), SnapshotStore(tmp_path)).report
    journal.close()
    assert (report.snapshot_sequence, report.rejected_snapshots) == (1, ())


async def test_an_operator_sees_what_a_wallet_has_and_what_happened(tmp_path: Path) -> None:
    client = open_ledger(tmp_path, CLOCK)
    await client.start()
    for command in [*opening(), do.Commit("s#1", "s", 7, ASK)]:
        await client.execute(command)
    shown = inspect.show(tmp_path, account_id="a")
    assert shown is not None
    assert shown == inspect.show(tmp_path, wallet_id="w")
    assert (shown.wallet.imsi, shown.accounts[0].balances.used) == ("62199", 7)
    assert [it.reservation_id for it in shown.reservations] == ["s"]
    assert inspect.show(tmp_path, wallet_id="other") is None
    assert inspect.replay(tmp_path).effects["Committed"] == 1
    assert [type(it).__name__ for _, it in history(tmp_path, "a", 2)] == ["Committed", "Reserved"]
    found = inspect.verify(tmp_path)
    assert (found.accounts, found.open_reservations, found.damage) == (1, 1, ())
    await client.close()
    assert inspect.verify(tmp_path).damage == ()
    assert "no journal" in inspect.verify(tmp_path / "elsewhere").damage[0]


async def test_the_instants_of_records_never_go_back(tmp_path: Path) -> None:
    class Settable:
        at = NOW

        def now(self) -> datetime:
            return datetime.fromtimestamp(self.at, UTC)

    clock = Settable()
    for at in (NOW, NOW - 40 * 86_400):
        clock.at = at
        ledger = open_ledger(tmp_path, clock)
        await ledger.start()
        await ledger.execute(do.OpenWallet(f"o{at}", f"w{at}", f"62199{at}"))
        clock.at -= 3600
        await ledger.execute(do.OpenWallet(f"p{at}", f"v{at}", f"62198{at}"))
        await ledger.close()
    journal = SqliteJournal(tmp_path)
    journal.open()
    assert [instant_of(it) for it in journal.read(0, 10)] == [NOW] * 4
    journal.close()

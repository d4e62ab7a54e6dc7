"""What every journal keeps to. A new implementation adds how it is found again to JOURNALS, and passes.

For one on PostgreSQL that is a connection to a schema of the test's own: one row a record, the owner held by an
advisory lock or a fencing epoch, ``append`` back only after a synchronous commit. Nothing else here is SQLite's.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty
from threading import Thread

import pytest

from kswifi.ledger.effects import ContinueWithNextSet, Effect, WalletOpened
from kswifi.ledger.errors import LedgerDamagedError, LedgerError, LedgerLockedError, LedgerVersionError
from kswifi.ledger.storage.journal import Head, Journal, Record, effects_of, follow, next_record
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.simulation.disk import SimulatedDisk
from tests.support.memory_journal import MemoryJournal

Again = Callable[[], Journal]
"""Gives the same journal anew, as the next process would find it."""


class PromptDisk(SimulatedDisk):
    """The simulation's disk with nobody to simulate: every sync is well at once."""

    def append(self, record: Record) -> None:
        syncing = Thread(target=self._sync, daemon=True)
        syncing.start()
        super().append(record)
        syncing.join()

    def _sync(self) -> None:
        with suppress(Empty):  # an append that is refused asks for no sync
            self.finish(patience_seconds=0.2)


JOURNALS: dict[str, Callable[[Path], Again]] = {
    "sqlite": lambda folder: lambda: SqliteJournal(folder),
    "memory": lambda _folder: partial(lambda it: it, MemoryJournal()),
    "simulated": lambda _folder: partial(lambda it: it, PromptDisk()),
}
"""How to find each again: by a new object on the same place, or by the object that lives on."""


@pytest.fixture(params=JOURNALS)
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Again]:
    opened: list[Journal] = []
    find_it = JOURNALS[request.param](tmp_path)

    def find() -> Journal:
        journal = find_it()
        opened.append(journal)
        return journal

    yield find
    for journal in opened:
        journal.close()


def effects(number: int) -> tuple[Effect, ...]:
    return WalletOpened(f"w{number}", f"62199{number}", 1_800_000_000), ContinueWithNextSet(f"w{number}", True, 7)


def fill(journal: Journal, head: Head, count: int) -> Head:
    for number in range(head.sequence + 1, head.sequence + count + 1):
        record = next_record(head, 1_800_000_000, effects(number))
        journal.append(record)
        head = Head(record.sequence, record.digest)
    return head


def test_a_new_journal_is_empty_and_stands_at_the_genesis(again: Again) -> None:
    journal = again()
    assert journal.open() == Head()
    assert journal.read(0, 10) == []


def test_what_was_appended_is_read_in_order_and_in_parts(again: Again) -> None:
    journal = again()
    fill(journal, journal.open(), 7)
    assert [it.sequence for it in journal.read(0, 3)] == [1, 2, 3]
    assert [it.sequence for it in journal.read(3, 100)] == [4, 5, 6, 7]
    assert journal.read(7, 100) == []
    assert [effects_of(it) for it in journal.read(0, 100)] == [effects(it) for it in range(1, 8)]


def test_the_next_owner_finds_everything_and_goes_on(again: Again) -> None:
    first = again()
    head = fill(first, first.open(), 3)
    first.close()
    second = again()
    assert second.open() == head
    fill(second, head, 2)
    assert [it.sequence for it in follow(second, Head())] == [1, 2, 3, 4, 5]


def test_there_is_one_owner_at_a_time(again: Again) -> None:
    first = again()
    first.open()
    with pytest.raises(LedgerLockedError):
        again().open()
    first.close()
    first.close()
    again().open()


def test_a_sequence_is_never_written_twice_nor_after_closing(again: Again) -> None:
    journal = again()
    head = fill(journal, journal.open(), 2)
    with pytest.raises(Exception, match=r"(?i)unique|follow"):
        journal.append(next_record(Head(1, head.digest), 5, effects(9)))
    assert [it.sequence for it in journal.read(0, 9)] == [1, 2]
    journal.close()
    with pytest.raises(LedgerError):
        journal.append(next_record(head, 5, effects(9)))


def test_it_is_pruned_at_its_beginning_and_keeps_its_end(again: Again) -> None:
    journal = again()
    assert (journal.open(), journal.base()) == (Head(), Head())
    head = fill(journal, Head(), 9)
    assert (journal.base(), journal.prune(1, 10)) == (Head(), 0)
    assert journal.prune(6, 2) == 2
    assert [it.sequence for it in journal.read(0, 2)] == [3, 4]
    assert (journal.prune(6, 100), journal.prune(6, 100)) == (3, 0)
    base = journal.base()
    assert base.sequence == 6
    assert [it.sequence for it in follow(journal, base)] == [7, 8, 9]
    assert [it.sequence for it in journal.read(7, 100)] == [8, 9]
    with pytest.raises(LedgerDamagedError, match="records are missing"):
        list(follow(journal, Head()))
    journal.close()
    later = again()
    assert (later.open(), later.base()) == (head, base)
    head = fill(later, head, 1)
    assert later.prune(1_000, 100) == 4
    assert later.base() == head
    assert list(follow(later, head)) == []
    later.close()
    with pytest.raises(LedgerError):
        later.prune(5, 1)


def test_following_it_stops_at_a_record_that_is_altered_missing_or_swapped() -> None:
    def journal_of(records: list[Record]) -> Journal:
        journal = MemoryJournal()
        journal.records = records
        return journal

    whole = MemoryJournal()
    fill(whole, whole.open(), 4)
    one, two, three, four = whole.records
    flipped = bytearray(two.payload)
    flipped[-1] ^= 1
    damaged = {
        "altered": [one, Record(2, bytes(flipped), two.digest), three, four],
        "missing": [one, three, four],
        "missing first": [two, three, four],
        "renumbered": [one, Record(2, three.payload, three.digest), Record(3, four.payload, four.digest)],
        "digest altered": [one, Record(2, two.payload, bytes(16)), three],
    }
    for what, records in damaged.items():
        with pytest.raises(LedgerDamagedError) as caught:
            list(follow(journal_of(records), Head()))
        assert caught.value.facts["sequence"] in (1, 2), what
    assert len(list(follow(journal_of([one, two, three, four]), Head()))) == 4


def test_a_record_of_a_newer_version_is_not_guessed_at() -> None:
    record = next_record(Head(), 5, effects(1))
    with pytest.raises(LedgerVersionError):
        effects_of(Record(1, b"\x02" + record.payload[1:], record.digest))
    with pytest.raises(LedgerDamagedError):
        effects_of(Record(1, record.payload[:-3], record.digest))


def test_the_first_versions_octets_are_still_read() -> None:
    """A record as version 1 wrote it: if this fails, journals in the field cannot be read any more."""
    payload = bytes.fromhex("0192ce6b49d200929401a27731a63632313939 31ce6b49d2009410a27731c307")
    assert effects_of(Record(1, payload, b"")) == effects(1)
    assert next_record(Head(), 1_800_000_000, effects(1)).payload == payload

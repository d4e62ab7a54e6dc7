"""What every journal keeps to. A new implementation adds its name to JOURNALS and passes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kswifi.ledger.effects import ContinueWithNextSet, Effect, WalletOpened
from kswifi.ledger.errors import LedgerDamagedError, LedgerError, LedgerLockedError, LedgerVersionError
from kswifi.ledger.journal import Head, Journal, Record, effects_of, follow, next_record
from kswifi.ledger.memory import MemoryJournal
from kswifi.ledger.sqlite import SqliteJournal

Again = Callable[[], Journal]
"""Gives the same journal anew, as the next process would find it."""


@pytest.fixture(params=["sqlite", "memory"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Again]:
    opened: list[Journal] = []
    kept = MemoryJournal()

    def find() -> Journal:
        journal: Journal = SqliteJournal(tmp_path) if request.param == "sqlite" else kept
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

"""The SQLite journal's file: damage of every kind is reported, and nobody else can read it."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kswifi.ledger import inspect
from kswifi.ledger.effects import WalletOpened
from kswifi.ledger.errors import LedgerDamagedError, LedgerVersionError
from kswifi.ledger.storage.journal import Head, follow, next_record
from kswifi.ledger.storage.recovery import recover
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import FILE_NAME, HEAD_NAME, LOG_OCTETS_KEPT, SqliteJournal
from tests.support.directories import ODD_DIRECTORIES

RECORDS = 40
BULK = "6" * 300


def write(directory: Path, *, leave_log: bool = False) -> Head:
    """Write records and end, or with ``leave_log`` leave the files as a killed process does."""
    journal = SqliteJournal(directory)
    head = journal.open()
    for number in range(head.sequence + 1, head.sequence + RECORDS + 1):
        record = next_record(head, 5, [WalletOpened(f"w{number}", f"{number}{BULK}", 5)])
        journal.append(record)
        head = Head(record.sequence, record.digest)
    if leave_log:
        left = {it: it.read_bytes() for it in directory.iterdir() if not it.name.endswith("-shm")}
        journal.close()
        for path, octets in left.items():
            path.write_bytes(octets)
    else:
        journal.close()
    return head


def start(directory: Path) -> Head:
    journal = SqliteJournal(directory)
    try:
        return recover(journal, journal.open(), SnapshotStore(directory)).head
    finally:
        journal.close()


def change(path: Path, at: float, alter: Callable[[bytes], bytes]) -> None:
    octets = path.read_bytes()
    place = int(len(octets) * at)
    path.write_bytes(octets[:place] + alter(octets[place:]))


def flip(octets: bytes) -> bytes:
    return bytes([octets[0] ^ 0x40]) + octets[1:]


@pytest.mark.parametrize("name", ODD_DIRECTORIES)
def test_the_journal_is_in_its_directory_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    head = write(folder)
    assert start(folder) == head
    assert [it.name for it in tmp_path.iterdir()] == [name]


def test_the_log_does_not_keep_its_peak_size(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    head = journal.open()
    reading = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM record").fetchall()  # while this reads, the log cannot begin anew
    log = tmp_path / f"{FILE_NAME}-wal"
    try:
        while log.stat().st_size < 2 * LOG_OCTETS_KEPT:
            record = next_record(head, 5, [WalletOpened(f"w{head.sequence}", BULK * 10_000, 5)])
            journal.append(record)
            head = Head(record.sequence, record.digest)
        reading.close()
        for _ in range(3):
            record = next_record(head, 5, [WalletOpened(f"w{head.sequence}", "6", 5)])
            journal.append(record)
            head = Head(record.sequence, record.digest)
        assert log.stat().st_size <= LOG_OCTETS_KEPT
    finally:
        reading.close()
        journal.close()


def test_a_killed_owners_log_is_read(tmp_path: Path) -> None:
    head = write(tmp_path, leave_log=True)
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size > 0
    assert start(tmp_path) == head


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8, 0.99])
def test_a_flipped_bit_in_the_log_is_reported(tmp_path: Path, at: float) -> None:
    """SQLite itself drops what stands behind a bad frame, and says nothing."""
    write(tmp_path, leave_log=True)
    change(tmp_path / f"{FILE_NAME}-wal", at, flip)
    with pytest.raises(LedgerDamagedError, match=r"tail is lost|missing|digest"):
        start(tmp_path)
    assert inspect.verify(tmp_path).damage


@pytest.mark.parametrize("at", [0.0, 0.3, 0.97])
def test_a_torn_log_is_reported(tmp_path: Path, at: float) -> None:
    write(tmp_path, leave_log=True)
    change(tmp_path / f"{FILE_NAME}-wal", at, lambda _: b"")
    with pytest.raises(LedgerDamagedError, match="tail is lost"):
        start(tmp_path)


def test_a_lost_log_is_reported(tmp_path: Path) -> None:
    write(tmp_path, leave_log=True)
    (tmp_path / f"{FILE_NAME}-wal").unlink()
    with pytest.raises(LedgerDamagedError, match="tail is lost"):
        start(tmp_path)


@pytest.mark.parametrize("at", [0.3, 0.5, 0.7, 0.9])
def test_a_truncated_file_is_reported(tmp_path: Path, at: float) -> None:
    write(tmp_path)
    change(tmp_path / FILE_NAME, at, lambda _: b"")
    with pytest.raises(LedgerDamagedError):
        start(tmp_path)


def test_a_flipped_bit_in_a_record_is_reported_with_its_number(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / FILE_NAME
    octets = bytearray(path.read_bytes())
    octets[octets.index(b"17" + BULK.encode()) + 40] ^= 1
    path.write_bytes(octets)
    with pytest.raises(LedgerDamagedError) as caught:
        start(tmp_path)
    assert caught.value.facts["sequence"] == 17
    assert "record 17" in inspect.verify(tmp_path).damage[0]


@pytest.mark.parametrize("statement", [
    "DELETE FROM record WHERE sequence = 20",
    "DELETE FROM record WHERE sequence = 1",
    "DELETE FROM record WHERE sequence = (SELECT max(sequence) FROM record)",
    "DELETE FROM record",
    "UPDATE record SET digest = zeroblob(16) WHERE sequence = 40",
    "DROP TABLE record",
])  # fmt: skip
def test_records_that_are_gone_or_changed_are_reported(tmp_path: Path, statement: str) -> None:
    write(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(LedgerDamagedError):
        start(tmp_path)
    assert inspect.verify(tmp_path).damage


def test_a_missing_file_is_reported_and_not_made_anew(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    with pytest.raises(LedgerDamagedError, match="is missing"):
        start(tmp_path)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_journal_older_than_its_snapshot_is_reported(tmp_path: Path) -> None:
    write(tmp_path)
    older = (tmp_path / FILE_NAME).read_bytes()
    write(tmp_path)
    journal = SqliteJournal(tmp_path)
    recovered = recover(journal, journal.open())
    journal.close()
    SnapshotStore(tmp_path).write(recovered.state, recovered.head)
    (tmp_path / FILE_NAME).write_bytes(older)
    (tmp_path / HEAD_NAME).unlink()
    with pytest.raises(LedgerDamagedError, match=f"record {2 * RECORDS} is known"):
        start(tmp_path)


def test_a_restored_copy_without_its_head_file_is_good(tmp_path: Path) -> None:
    head = write(tmp_path)
    (tmp_path / HEAD_NAME).unlink()
    assert start(tmp_path) == head
    assert (tmp_path / HEAD_NAME).stat().st_size > 0


def test_another_file_and_a_newer_one_are_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("CREATE TABLE other (it)")
    connection.close()
    with pytest.raises(LedgerDamagedError, match="not a KSWiFi ledger"):
        start(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / HEAD_NAME).unlink()
    write(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(LedgerVersionError):
        start(tmp_path)


def test_a_crash_while_the_file_was_made_is_survived(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    (tmp_path / HEAD_NAME).touch()
    assert start(tmp_path) == Head()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        journal = SqliteJournal(tmp_path)
        journal.append(next_record(journal.open(), 5, [WalletOpened("w", "1", 5)]))
        modes = {it.name: it.stat().st_mode & 0o777 for it in tmp_path.iterdir()}
        journal.close()
    finally:
        os.umask(before)
    assert f"{FILE_NAME}-wal" in modes
    assert set(modes.values()) == {0o600}


def test_readers_see_what_is_durable_while_the_owner_is_open(tmp_path: Path) -> None:
    write(tmp_path)
    journal = SqliteJournal(tmp_path)
    journal.open()
    found = inspect.verify(tmp_path)
    journal.close()
    assert (found.sequence, found.wallets, found.damage) == (RECORDS, RECORDS, ())


def test_it_can_be_followed_from_the_middle(tmp_path: Path) -> None:
    write(tmp_path)
    journal = SqliteJournal(tmp_path)
    journal.open()
    fifth = Head(5, journal.read(4, 1)[0].digest)
    assert [it.sequence for it in follow(journal, fifth)] == list(range(6, RECORDS + 1))
    with pytest.raises(LedgerDamagedError):
        list(follow(journal, Head(5, bytes(16))))
    journal.close()


def test_every_append_is_synchronised(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.open()
    assert journal._writer is not None
    assert journal._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    journal.close()

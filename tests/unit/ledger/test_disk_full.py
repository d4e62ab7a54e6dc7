"""A full disk delays the ledger and loses nothing; a broken one ends it with words that say what to do."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kswifi.ledger import commands as do
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Outcome
from kswifi.ledger.effects import WalletOpened
from kswifi.ledger.errors import LedgerClosedError, LedgerDiskError, LedgerError, LedgerFullError
from kswifi.ledger.storage.journal import Head, Record, next_record
from kswifi.ledger.storage.sqlite_journal import FILE_NAME, SqliteJournal, acknowledged
from tests.support.ledgers import open_ledger
from tests.unit.ledger.test_client import ASK, CLOCK, GatedJournal, opening, turns, until

pytestmark = pytest.mark.timeout(30)

BULK = "6" * 40_000
"""More than one page of SQLite, so that each record needs new ones."""


def record_after(head: Head) -> Record:
    return next_record(head, 5, [WalletOpened(f"w{head.sequence}", BULK, 5)])


class FullJournal(GatedJournal):
    """A journal on a disk that a test fills and empties."""

    full = False

    def append(self, record: Record) -> None:
        if self.full:
            self.attempts += 1
            raise LedgerFullError("no room")
        super().append(record)


async def stalled(journal: FullJournal) -> tuple[LedgerClient, list[Outcome]]:
    """Return a client with one durable record (wallet, account, reservation) and one that waits for room."""
    journal.let_through()
    client, answers = LedgerClient(journal, CLOCK), list[Outcome]()
    await client.start()
    for command in opening():
        client.submit(command, answers.append)
    await until(lambda: len(answers) == 4)
    journal.full = True
    client.submit(do.Commit("s#1", "s", 3, ASK), answers.append)
    await until(lambda: client.is_stalled)
    return client, answers


async def test_a_record_waits_for_room_and_is_then_written_once() -> None:
    journal, freed = FullJournal(), list[int]()
    client, answers = await stalled(journal)
    client.out_of_space = lambda: freed.append(1)
    client.submit(do.Commit("s#2", "s", 4, ASK), answers.append)
    await until(lambda: journal.attempts >= 3)
    assert (len(answers), len(journal.records), bool(freed)) == (4, 1, True)
    journal.full = False
    await until(lambda: len(answers) == 6)
    assert [it.committed_octets for it in answers[4:]] == [3, 4]
    assert (len(journal.records), client.is_stalled) == (3, False)
    await client.close()


async def test_while_the_disk_is_full_what_is_durable_is_answered_again_and_nothing_else() -> None:
    journal = FullJournal()
    client, answers = await stalled(journal)
    client.submit(opening()[3], answers.append)  # the INITIAL's own command, answered before
    client.submit(opening()[1], answers.append)
    client.submit(do.Commit("s#1", "s", 3, ASK), answers.append)  # it waits for room, and so does its repetition
    client.submit(do.Commit("s#2", "s", 1, ASK), answers.append)
    client.submit(do.Commit("s#2", "s", 1, ASK), answers.append)
    await turns()
    assert answers[4:] == [answers[3], answers[1]]
    journal.full = False
    await until(lambda: len(answers) == 10)
    assert client.state.account("a") is not None
    await client.close()
    again = LedgerClient(journal, CLOCK)
    await again.start()
    account = again.state.account("a")
    assert account is not None
    assert account.balances.used == 4
    await again.close()


async def test_a_stop_with_a_full_disk_answers_nobody_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    journal = FullJournal()
    client, answers = await stalled(journal)
    waiting = asyncio.create_task(client.execute(do.Commit("s#2", "s", 1, ASK)))
    await turns()
    await client.close()
    with pytest.raises(LedgerError):
        await waiting
    assert (len(answers), len(journal.records)) == (4, 1)
    journal.full = False
    again = LedgerClient(journal, CLOCK)
    await again.start()
    repeated = await again.execute(do.Commit("s#1", "s", 3, ASK))
    assert repeated.committed_octets == 3
    await again.close()


async def test_a_disk_that_becomes_full_during_the_stop_does_not_keep_it_up() -> None:
    journal = FullJournal()
    journal.full = True
    client = LedgerClient(journal, CLOCK)
    await client.start()
    client.submit(opening()[0], lambda _outcome: None)
    await asyncio.wait_for(client.close(), 10)
    assert journal.records == []


async def test_sqlite_reports_a_full_disk_and_takes_the_same_record_later(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    record = record_after(journal.open())
    assert journal._writer is not None
    journal._writer.execute("PRAGMA max_page_count = 1")
    for _ in range(2):
        with pytest.raises(LedgerFullError):
            journal.append(record)
    assert (journal.read(0, 10), acknowledged(tmp_path)) == ([], 0)
    journal._writer.execute("PRAGMA max_page_count = 1000000")
    journal.append(record)
    assert (journal.read(0, 10), acknowledged(tmp_path)) == ([record], 1)
    journal.close()
    again = SqliteJournal(tmp_path)
    assert again.open() == Head(1, record.digest)
    again.close()


async def test_a_head_file_without_room_is_owed_and_the_record_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = SqliteJournal(tmp_path)
    record = record_after(journal.open())

    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kswifi.ledger.storage.sqlite_journal.os.pwrite", no_room)
        with pytest.raises(LedgerFullError):
            journal.append(record)
    journal.append(record)
    assert (len(journal.read(0, 10)), acknowledged(tmp_path)) == (1, 1)
    journal.close()


@contextmanager
def broken_disk(octets: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many octets: SQLite then reports a failed write (SQLITE_IOERR)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_failed_write_ends_the_ledger_and_says_why(tmp_path: Path) -> None:
    client, told = open_ledger(tmp_path, CLOCK), list[BaseException]()
    client.fatal = told.append
    await client.start()
    await client.execute(opening()[0])
    with broken_disk((tmp_path / f"{FILE_NAME}-wal").stat().st_size), pytest.raises(LedgerError):
        await client.execute(do.OpenWallet("open2", "w2", "62198"))
    assert [type(it) for it in told] == [LedgerDiskError]
    assert "Check the disk, then start again" in str(told[0])
    with pytest.raises(LedgerError):
        _ = client.state
    await client.close()
    again = open_ledger(tmp_path, CLOCK)
    await again.start()
    assert again.state.wallet("w") is not None
    assert again.state.wallet("w2") is None
    await again.close()
    with pytest.raises(LedgerClosedError):
        _ = again.state

"""A million accounts: back in seconds, from the journal and from a snapshot, and held in 1 GB."""

import subprocess
import sys
from pathlib import Path

import pytest

from kswifi.ledger import effects as fx
from kswifi.ledger.storage.journal import Head, next_record
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournal

RECORDS = 1_000
AT_ONCE = 1_000
NOW = 1_795_000_000

RECOVER = """
import resource, sys
from pathlib import Path
from kswifi.ledger.storage.recovery import recover
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader

folder, store = Path(sys.argv[1]), SnapshotStore(Path(sys.argv[1]))
journal = SqliteJournalReader(folder)
found = recover(journal, journal.open(), store)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(found.state.accounts), found.report.snapshot_sequence or 0, peak)
store.write(found.state, found.head)
"""


def fill(folder: Path) -> None:
    journal = SqliteJournal(folder)
    head = journal.open()
    for first in range(0, RECORDS * AT_ONCE, AT_ONCE):
        effects: list[fx.Effect] = []
        for number in range(first, first + AT_ONCE):
            wallet, account = f"0197c0de-0000-7000-8000-{number:012d}", f"0197c0de-0000-7000-9000-{number:012d}"
            effects.append(fx.WalletOpened(wallet, f"00101{number:010d}", NOW))
            effects.append(fx.Credited(account, wallet, 10**9, NOW + 10**6, NOW))
            effects.append(fx.StorageProved(account, wallet, "install_result", NOW))
        record = next_record(head, NOW, effects)
        journal.append(record)
        head = Head(record.sequence, record.digest)
    journal.close()


@pytest.mark.soak
def test_a_million_accounts_come_back_and_fit_into_a_gigabyte(tmp_path: Path) -> None:
    fill(tmp_path)
    for snapshot in (0, RECORDS):
        ran = subprocess.run(
            [sys.executable, "-c", RECOVER, str(tmp_path)], check=True, capture_output=True, text=True
        )
        accounts, sequence, kilobytes = map(int, ran.stdout.split())
        assert (accounts, sequence) == (RECORDS * AT_ONCE, snapshot)
        assert kilobytes * 1024 < 10**9
    assert len(SnapshotStore(tmp_path).paths()) == 1

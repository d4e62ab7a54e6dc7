"""Make a snapshot from the journal in a separate process, while the ledger runs."""

import sys
from pathlib import Path
from typing import Final

from kswifi.ledger.errors import LedgerError
from kswifi.ledger.storage.child import run_module
from kswifi.ledger.storage.recovery import recover
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader

TIMEOUT_SECONDS: Final = 600.0


async def write_in_child(directory: Path) -> None:
    """Make a snapshot of the journal in the directory, in a separate process.

    Raises:
        LedgerError: it failed. The journal is intact; only the next start takes longer.
        TimeoutError: it took longer than ``TIMEOUT_SECONDS``.
    """
    try:
        await run_module(__name__, str(directory), timeout_seconds=TIMEOUT_SECONDS)
    except LedgerError as error:
        raise LedgerError(f"no snapshot was made: {error.message}") from None


def write_snapshot(directory: Path) -> Path:
    """Recover the state from the journal, read-only, and write it as a snapshot; return its path.

    Raises:
        LedgerDamagedError: the journal cannot be followed to its end.
    """
    journal = SqliteJournalReader(directory)
    try:
        snapshots = SnapshotStore(directory)
        recovered = recover(journal, journal.open(), snapshots)
        return snapshots.write(recovered.state, recovered.head)
    finally:
        journal.close()


if __name__ == "__main__":
    write_snapshot(Path(sys.argv[1]))

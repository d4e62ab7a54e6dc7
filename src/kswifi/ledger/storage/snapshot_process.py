"""Make a snapshot from the journal in a separate process, while the ledger runs."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from kswifi.ledger.errors import LedgerError
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
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kswifi.ledger.storage.snapshot_process",
        str(directory),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaint = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    except (TimeoutError, asyncio.CancelledError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        words = complaint.decode(errors="replace").strip().splitlines()
        raise LedgerError(f"no snapshot was made: {words[-1] if words else process.returncode}")


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

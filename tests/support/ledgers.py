"""A ledger on the files of a directory."""

from pathlib import Path

from kswifi.kernel.clock import Clock
from kswifi.ledger.batch import Limits
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.state import Retention
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournal


def open_ledger(
    directory: Path, clock: Clock, *, limits: Limits | None = None, retention: Retention | None = None
) -> LedgerClient:
    """Return the ledger of a directory, on SQLite with snapshots; it still has to be started."""
    return LedgerClient(
        SqliteJournal(directory),
        clock,
        snapshots=SnapshotStore(directory),
        limits=limits,
        retention=retention,
    )

"""The restore drill: restore a backup or a copy into a folder of its own, check everything in it, and delete it."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kswifi.books.verify import verify_book
from kswifi.charging_records.projector import recorded_sequence
from kswifi.data_directory.copying.restoring import restore_copy
from kswifi.data_directory.layout import Installation
from kswifi.data_directory.restore import restore
from kswifi.database.engine import Database, sqlite_url
from kswifi.kernel.clock import Clock, monotonic_seconds
from kswifi.ledger.inspect import verify
from kswifi.sessions.projector import projected_sequence


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill found.

    Attributes:
        source: the backup or copy.
        at: what was durable then is in it; None for a backup, whose instant is that of its file.
        seconds: how long restoring took, without the checks.
        sequence: the last record of the ledger's journal.
        wrong: what the checks found; empty if all is well.
    """

    source: str
    at: datetime | None
    seconds: float
    sequence: int
    wrong: tuple[str, ...]


async def drill(source: Path, scratch: Path, clock: Clock) -> Drill:
    """Restore ``source`` below ``scratch`` and check ledger and books.

    Raises:
        KswifiError: it cannot be restored.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".kswifi-drill-") as folder:
        installation = Installation(Path(folder) / "data")
        began = monotonic_seconds()
        at = _restore(source, installation.data_dir)
        seconds = monotonic_seconds() - began
        ledger = verify(installation.ledger_dir)
        database = Database(sqlite_url(installation.control_database), clock)
        try:
            book = await database.read(verify_book)
            read = max(await projected_sequence(database), await recorded_sequence(database))
        finally:
            await database.close()
        wrong = [*ledger.damage, *book.findings]
        if read > ledger.sequence:
            wrong.append(f"the control plane has read record {read}, and the journal ends with {ledger.sequence}")
        return Drill(str(source), at, seconds, ledger.sequence, tuple(wrong))


def _restore(source: Path, data_dir: Path) -> datetime | None:
    """Restore a copy (a directory) or a backup (a file); return the instant that a copy reaches to."""
    if source.is_dir():
        return restore_copy(source, data_dir).at
    restore(source, data_dir, lambda _contents: True)
    return None

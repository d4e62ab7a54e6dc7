"""The records of the last backup and of the continuous copy: small files in the data directory, for monitoring."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from kswifi.kernel.files import write_owner_only

BACKUP: Final = "last-backup.json"
COPY: Final = "last-copy.json"


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """The instant that a backup or a copy reaches to, where it was written, and its size."""

    at: datetime
    path: str
    octets: int


def write_backup_record(data_dir: Path, record: BackupRecord, name: str = BACKUP) -> None:
    """Replace the record of the last backup, or that of the continuous copy (``COPY``)."""
    text = json.dumps({"at": record.at.isoformat(), "path": record.path, "octets": record.octets})
    write_owner_only(data_dir / name, text.encode())


def read_backup_record(data_dir: Path, name: str = BACKUP) -> BackupRecord | None:
    """Return a record; None if there is none, or it cannot be read."""
    try:
        record = json.loads((data_dir / name).read_bytes())
        return BackupRecord(datetime.fromisoformat(record["at"]), str(record["path"]), int(record["octets"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None

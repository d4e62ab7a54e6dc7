"""The record of the last complete backup: a small file in the data directory that monitoring reads."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from kswifi.kernel.files import write_owner_only

NAME: Final = "last-backup.json"


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """When the last backup was complete, where it was written, and its size."""

    at: datetime
    path: str
    octets: int


def write_backup_record(data_dir: Path, record: BackupRecord) -> None:
    """Replace the record."""
    text = json.dumps({"at": record.at.isoformat(), "path": record.path, "octets": record.octets})
    write_owner_only(data_dir / NAME, text.encode())


def read_backup_record(data_dir: Path) -> BackupRecord | None:
    """Return the record; None if no backup was made, or the record cannot be read."""
    try:
        record = json.loads((data_dir / NAME).read_bytes())
        return BackupRecord(datetime.fromisoformat(record["at"]), str(record["path"]), int(record["octets"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None

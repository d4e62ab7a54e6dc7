"""Run a copy until it is stopped: a round at intervals, and the record for monitoring."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from kswifi.data_directory.backup_record import COPY, BackupRecord, write_backup_record
from kswifi.data_directory.copying.follower import CopyFollower
from kswifi.data_directory.copying.layout import Manifest

RECORD_EVERY: Final = timedelta(seconds=5)
"""How often the record in the data directory is replaced; each time costs an fsync there."""
_LONGEST_PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CopyRunner:
    """Repeats rounds. A round that fails is tried again after a pause; the copy keeps its last whole state."""

    follower: CopyFollower
    copy: Path
    data_dir: Path
    every_seconds: float
    _recorded_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Copy until ``stop``, and once more after it."""
        pause = self.every_seconds
        while True:
            is_last = stop.is_set()
            try:
                self._note(self.follower.round())
                pause = self.every_seconds
            except OSError as error:
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                _log.error("copy_failed", copy=str(self.copy), why=str(error), again_in_seconds=pause)
            if is_last:
                return
            stop.wait(pause)

    def _note(self, manifest: Manifest) -> None:
        if self._recorded_at is None or manifest.at - self._recorded_at >= RECORD_EVERY:
            octets = manifest.frames_octets + manifest.records_octets
            write_backup_record(self.data_dir, BackupRecord(manifest.at, str(self.copy), octets), COPY)
            self._recorded_at = manifest.at

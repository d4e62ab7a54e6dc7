"""The ballast: a file that only takes up space. When the disk is full it is deleted, and the space is the ledger's.

With that space the ledger still books the usage of the ChargingSessions that are open, while everything else waits.
Other processes of the installation recognise the shortage by the missing file.
"""

import contextlib
import os
import shutil
from pathlib import Path
from threading import Lock
from typing import Final

from kswifi.kernel.files import OWNER_ONLY_FILE

LEAST_OCTETS: Final = 1_000_000
"""A smaller ballast is not worth its file."""
SHARE_OF_FREE: Final = 4
"""At start, the ballast takes at most a quarter of the free space."""
START_OCTETS: Final = 4_000_000
"""Less free space than this does not suffice to start: databases make their shared-memory files anew."""
ROOM_OCTETS: Final = 4_000_000
"""Free space, beyond the ballast, with which the shortage has ended."""


class Ballast:
    """The ballast of one installation. ``release`` may be called on any thread."""

    def __init__(self, path: Path, octets: int) -> None:
        """``octets``: the size of the file; 0 keeps none, and only the shortage itself is then noted."""
        self._path = path
        self._octets = octets
        self._lock = Lock()
        self._short = False
        self.shortages = 0
        """How often the disk was found full since the start."""

    @property
    def is_short(self) -> bool:
        """Whether the disk was found full, and has had no room for the ballast since."""
        return self._short

    @property
    def octets(self) -> int:
        """The size of the file now; 0 if there is none."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def free_octets(self) -> int:
        """The free space of the file system, for a process that is not root's."""
        return shutil.disk_usage(self._path.parent).free

    def prepare(self) -> None:
        """Make the ballast at start, smaller on a small disk; release it if there is too little room to start."""
        if self.free_octets < START_OCTETS:
            self.release()
            return
        with self._lock:
            if not self._octets:
                self._path.unlink(missing_ok=True)
                return
            room = self.free_octets + self.octets
            wanted = min(self._octets, room // SHARE_OF_FREE)
            if self.octets != wanted and wanted >= LEAST_OCTETS:
                self._make(wanted)

    def release(self) -> None:
        """Delete the file, so that its space is free, and note the shortage."""
        with self._lock:
            if not self._short:
                self._short = True
                self.shortages += 1
            self._path.unlink(missing_ok=True)

    def recover(self) -> bool:
        """Make the file again if there is room; return whether the shortage has ended."""
        with self._lock:
            if self._short and self.free_octets >= self._octets + ROOM_OCTETS:
                self._short = bool(self._octets) and not self._make(self._octets)
            return not self._short

    def _make(self, octets: int) -> bool:
        self._path.unlink(missing_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
        try:
            os.posix_fallocate(handle, 0, octets)
            os.fsync(handle)
        except OSError:
            with contextlib.suppress(OSError):
                self._path.unlink()
            return False
        finally:
            os.close(handle)
        return True


def spent(path: Path, octets: int) -> bool:
    """Return whether an installation that keeps a ballast of this size has none now; for its child processes."""
    return bool(octets) and not path.exists()

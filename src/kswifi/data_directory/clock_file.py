"""The files of the guarded clock: the believed time of the running server, and a person's confirmation."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from kswifi.kernel.clock import monotonic_seconds
from kswifi.kernel.clock_guard import Reading
from kswifi.kernel.files import write_owner_only

_LOOK_SECONDS: Final = 1.0


def write_reading(path: Path, reading: Reading) -> None:
    """Replace the file by a reading.

    Raises:
        OSError: it cannot be written.
    """
    write_owner_only(path, json.dumps(asdict(reading)).encode())


def read_reading(path: Path) -> Reading | None:
    """Return the reading in the file; None if there is none, or it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
        return Reading(float(found["wall"]), float(found["boot"]), str(found["boot_id"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class LastReading:
    """The reading in a file that another process replaces; the file is looked at once a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading: Reading | None = None
        self._modified_ns = -1
        self._look_at = float("-inf")

    def __call__(self) -> Reading | None:
        """Return the newest reading; None if there is none."""
        if monotonic_seconds() >= self._look_at:
            self._look_at = monotonic_seconds() + _LOOK_SECONDS
            try:
                modified_ns = self._path.stat().st_mtime_ns
            except FileNotFoundError:
                modified_ns = -1
            if modified_ns != self._modified_ns:
                self._modified_ns, self._reading = modified_ns, read_reading(self._path)
        return self._reading

"""What a folder lies on: its file system, and how long a disk takes to make something durable."""

import os
import time
from pathlib import Path
from typing import Final

from kswifi.kernel.errors import KswifiError

_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})
_PROBES: Final = 101
_PROBE_OCTETS: Final = 4096


class NotOnDiskError(KswifiError):
    """A folder lies in memory, where making something durable means nothing."""

    code = "not_on_disk"


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that a folder lies on, as Linux names it (proc(5): mountinfo)."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    found = "unknown"
    here = str(folder.resolve())
    longest = -1
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, behind = line.partition(" - ")
        _, _, number, _, place, *_ = before.split()
        covers = here == place or here.startswith(place.rstrip("/") + "/")
        # The number alone is not enough: that of an overlay or a volume of btrfs is not the one of its mount.
        if (number == wanted or covers) and len(place) * covers > longest:
            found, longest = behind.split()[0], len(place) * covers
    return found


def require_disk(folder: Path) -> str:
    """Return the type of the file system that a folder lies on.

    Raises:
        NotOnDiskError: it is memory.
    """
    found = file_system_of(folder)
    if found in _IN_MEMORY:
        raise NotOnDiskError(
            f"{folder} lies on {found}, which is memory: take a folder on a disk", file_system=found
        )
    return found


def fsync_ms_p50(folder: Path) -> float:
    """Return the median time of making 4 KB durable there, in milliseconds."""
    probe, times = folder / "fsync-probe", []
    with probe.open("wb") as file:
        for _ in range(_PROBES):
            file.write(bytes(_PROBE_OCTETS))
            began = time.monotonic()
            file.flush()
            os.fsync(file.fileno())
            times.append(time.monotonic() - began)
    probe.unlink()
    return sorted(times)[_PROBES // 2] * 1000

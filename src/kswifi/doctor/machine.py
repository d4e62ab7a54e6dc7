"""Check the machine: versions, free disk space, and the time of an fsync."""

import platform
import shutil
import sqlite3
from pathlib import Path
from typing import Final

import kswifi
from kswifi.bench.disk import file_system_of, fsync_ms_p50
from kswifi.doctor.model import Finding, Verdict, above, below
from kswifi.kernel.quantities import format_octets

WARN_FREE_OCTETS: Final = 5_000_000_000
FAIL_FREE_OCTETS: Final = 500_000_000
"""A journal under full load grows by a few GB a day; below this a server may stop within the hour."""
WARN_FSYNC_MILLISECONDS: Final = 20.0
FAIL_FSYNC_MILLISECONDS: Final = 200.0
"""Each answer of Gy waits for one fsync; a core gives up after some seconds (Tx)."""
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})


def check_versions() -> Finding:
    """Return the versions that a report of a fault must name."""
    words = (
        f"KSWiFi {kswifi.__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} {platform.release()}"
    )
    return Finding("versions", Verdict.OK, words)


def check_disk(folder: Path) -> Finding:
    """Judge the free space of the file system that holds the data directory."""
    usage = shutil.disk_usage(folder)
    verdict = below(usage.free, warn=WARN_FREE_OCTETS, fail=FAIL_FREE_OCTETS)
    words = f"{format_octets(usage.free)} free of {format_octets(usage.total)} at {folder}"
    return Finding("disk", verdict, words)


def check_fsync(folder: Path) -> Finding:
    """Measure how long the disk takes to make 4 KB durable; a file system in memory keeps nothing."""
    kind = file_system_of(folder)
    if kind in _IN_MEMORY:
        return Finding("fsync", Verdict.FAILED, f"{folder} is {kind}: memory, which loses everything at a restart")
    milliseconds = fsync_ms_p50(folder)
    verdict = above(milliseconds, warn=WARN_FSYNC_MILLISECONDS, fail=FAIL_FSYNC_MILLISECONDS)
    return Finding("fsync", verdict, f"median {milliseconds:.2f} ms for 4 KB on {kind}")

"""CPU time of another process and its descendants, with a resolution of nanoseconds. Linux only."""

import ctypes
import os
import time
from pathlib import Path
from typing import Final

_libc: Final = ctypes.CDLL(None)


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, that a process and its descendants have used.

    Living processes are read through their CPU clock (clock_getcpuclockid(3)), whose unit is the nanosecond.
    Descendants that ended count with the times that their parent collected (proc(5), cutime and cstime), whose
    unit is the clock tick.
    """
    tick = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    ended: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # the process ended after the listing
            continue
        parents[int(folder.name)] = int(fields[1])
        ended[int(folder.name)] = int(fields[13]) + int(fields[14])
    tree = {pid}
    while more := {child for child, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(_cpu_seconds(each) + ended.get(each, 0) / tick for each in tree)


def _cpu_seconds(pid: int) -> float:
    clock = ctypes.c_int()
    if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        return 0.0
    try:
        return time.clock_gettime(clock.value)
    except OSError:  # the process ended after its clock was looked up
        return 0.0

"""CPU time of a process and its children, without that of the process that measures."""

import subprocess
import sys
from typing import Final

from kswifi.bench.cpu import tree_cpu_seconds

_BURN: Final = """
import os, sys, time
child = os.fork()
while time.process_time() < 0.2:
    pass
if child == 0 and sys.argv[1] == "ends":
    os._exit(0)
if child and sys.argv[1] == "ends":
    os.waitpid(child, 0)
print("burnt", flush=True)
sys.stdin.read()
"""


def _tree_after_burning(what: str) -> float:
    with subprocess.Popen(
        [sys.executable, "-c", _BURN, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range({"ends": 1, "lives": 2}[what]):
            assert process.stdout.readline() == b"burnt\n"
        seconds = tree_cpu_seconds(process.pid)
        process.communicate(b"")
    return seconds


def test_cpu_of_a_process_and_its_running_child_is_counted() -> None:
    assert 0.4 <= _tree_after_burning("lives") < 0.8


def test_cpu_of_a_child_that_has_ended_is_counted() -> None:
    assert 0.38 <= _tree_after_burning("ends") < 0.8  # the CPU time of ended children has a resolution of 10 ms


def test_a_process_that_has_ended_counts_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert tree_cpu_seconds(process.pid) == 0.0

"""Benchmark of the demo: metered throughput through the gateway, and the CPU time of all processes."""

import json
import resource
import subprocess
import sys
from typing import Any, Final

RUNS: Final = 3


def measure() -> dict[str, Any]:
    """Run the 1 GB demo three times; return the median throughput, and the CPU time of all processes per run."""
    rates = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(RUNS):
        done = subprocess.run(
            [sys.executable, "-m", "kswifi", "demo", "--json"], check=True, capture_output=True, text=True
        )
        rates.append(float(json.loads(done.stdout)["throughput_mbit_s"]))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / RUNS
    return {
        "throughput_mbit_s": sorted(rates)[RUNS // 2],
        "runs_mbit_s": rates,
        "cpu_s_per_road_start_and_stop_included": round(cpu, 2),
    }

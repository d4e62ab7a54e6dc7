"""`make bench`: measure demo, ledger, package and HTTP API on this machine; print one JSON line for each."""

import json
import logging
import os
import platform
from collections.abc import Callable
from typing import Any, Final

import structlog

from kswifi.bench import ledger, package, road
from kswifi.bench.http import HttpBench, run_bench

BENCHES: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "road": road.measure,
    "ledger": ledger.measure,
    "package": package.measure,
    "http": lambda: run_bench(HttpBench()),
}


def main() -> None:
    """Run all benchmarks and print their figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"bench": "machine", **machine}), flush=True)
    for name, measure in BENCHES.items():
        print(json.dumps({"bench": name, **measure()}), flush=True)


if __name__ == "__main__":
    main()

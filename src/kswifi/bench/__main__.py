"""`make bench`: the speed of road, ledger and package, one JSON line each, measured on this machine now."""

import json
import logging
import os
import platform
from collections.abc import Callable
from typing import Any, Final

import structlog

from kswifi.bench import ledger, package, road

BENCHES: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "road": road.measure,
    "ledger": ledger.measure,
    "package": package.measure,
}


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"bench": "machine", **machine}), flush=True)
    for name, measure in BENCHES.items():
        print(json.dumps({"bench": name, **measure()}), flush=True)


if __name__ == "__main__":
    main()

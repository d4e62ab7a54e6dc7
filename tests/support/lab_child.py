"""The lab as a child process: prints its addresses as one line of JSON, and is killed or stopped by a test."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from kswifi.lab.process import run_lab, stop_on_signals
from kswifi.lab.settings import LabAddresses, LabConfig


def ready(addresses: LabAddresses) -> None:
    sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
    sys.stdout.flush()


async def main() -> None:
    settings = json.loads(sys.argv[1])
    config = LabConfig(
        data_dir=Path(settings["data_dir"]),
        diameter=tuple(settings["diameter"]),
        origins=(),
        web_origins=("http://localhost:8080",),
        **{f"{name}_port": settings.get(name, 0) for name in ("attach", "proxy", "content", "control")},
    )
    await run_lab(config, ready, stop_on_signals())


if __name__ == "__main__":
    asyncio.run(main())

"""What the server process and the lab process have in common: names, logging, and the request to stop."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from kswifi.bootstrap import log_lines
from kswifi.settings import Settings

LAB_GATEWAY: Final = "gateway.kswifi"

Ready: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Told once where a process is reached, when everything in it serves."""


def configure_logging(settings: Settings) -> None:
    """Send log lines to the error output in the format of the settings; the standard library's loggers too."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    log_lines.configure(level, as_json=settings.log_format == "json")
    # Each server says six lines when it starts and stops; what clients do wrong is counted by the connection pool.
    logging.getLogger("uvicorn").setLevel(max(level, logging.ERROR))
    logging.getLogger("alembic").setLevel(max(level, logging.WARNING))  # its steps are of no use to an operator


def stop_event(end_of_input: int | None, heard: Callable[[bytes], object] | None = None) -> asyncio.Event:
    """Return an event that SIGTERM, SIGINT and the end of the input set; ``heard`` takes what the input holds."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if end_of_input is not None:

        def look() -> None:
            octets = os.read(end_of_input, 4096)
            if octets and heard is not None:
                heard(octets)
            if not octets:
                loop.remove_reader(end_of_input)
                stop.set()

        with contextlib.suppress(OSError):  # a file or a terminal that cannot be watched never ends
            loop.add_reader(end_of_input, look)
    return stop

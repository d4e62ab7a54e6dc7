"""What the server process and the lab process have in common: names, logging, and being told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import structlog

from kswifi.settings import Settings

LAB_GATEWAY: Final = "gateway.kswifi"

Ready: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Told once where a process is reached, when everything in it serves."""


def configure_logging(settings: Settings) -> None:
    """Send log lines to the error output, for people; the standard library's loggers too."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(max(level, logging.WARNING))  # its steps are of no use to an operator
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
    )


def stop_event(end_of_input: int | None) -> asyncio.Event:
    """Return an event that SIGTERM, SIGINT and the end of the input set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if end_of_input is not None:

        def look() -> None:
            if not os.read(end_of_input, 4096):
                loop.remove_reader(end_of_input)
                stop.set()

        with contextlib.suppress(OSError):  # a file or a terminal that cannot be watched never ends
            loop.add_reader(end_of_input, look)
    return stop

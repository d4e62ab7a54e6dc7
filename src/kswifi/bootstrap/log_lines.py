"""One chain for every log line of a process, in which one repeated event cannot fill the disk."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from kswifi.api.edge.access import ACCESS_EVENT

WINDOW_SECONDS: Final = 60.0
LINES_IN_WINDOW: Final = 60
"""Lines of one event in a window; more are counted, and the count is written when the window has ended."""
UNLIMITED_EVENTS: Final = frozenset({ACCESS_EVENT})
"""Access lines: each stands for one request, and an operator has asked for all of them."""
_MOST_EVENTS: Final = 512
_LONGEST_EVENT: Final = 80

_SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,  # the request_id of an HTTP request
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)


@dataclass(slots=True)
class _Window:
    began: float
    level: int
    written: int = 0
    suppressed: int = 0


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes log lines, of each event at most ``LINES_IN_WINDOW`` in ``WINDOW_SECONDS``.

    An event is what a logger says without its facts: structlog's event name, or the format string of the standard
    library's loggers.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it."""
        if _event_of(record) in UNLIMITED_EVENTS:
            super().emit(record)
            return
        now = self._clock()
        self._end_windows(now)
        window = self._window_of(record, now)
        if window.written < LINES_IN_WINDOW:
            window.written += 1
            super().emit(record)
        else:
            window.suppressed += 1

    def close(self) -> None:
        """Write the counts that are still kept."""
        self._end_windows(float("inf"))
        super().close()

    def _window_of(self, record: logging.LogRecord, now: float) -> _Window:
        key = (record.name, _event_of(record))
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= _MOST_EVENTS:
                self._end(next(iter(self._windows)))
            window = self._windows[key] = _Window(now, record.levelno)
        return window

    def _end_windows(self, now: float) -> None:
        # They stand in the order in which they began.
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if now - window.began < WINDOW_SECONDS:
                return
            self._end(key)

    def _end(self, key: tuple[str, str]) -> None:
        window = self._windows.pop(key)
        if window.suppressed:
            name, event = key
            facts = {"event": "log_lines_suppressed", "of": event, "count": window.suppressed}
            line = logging.LogRecord(name, window.level, "", 0, "%s", (), None)
            line.msg = facts | {"level": logging.getLevelName(window.level).lower(), "logger": name}
            vars(line).update(_from_structlog=True, _logger=None, _name=name)
            super().emit(line)


def _event_of(record: logging.LogRecord) -> str:
    message: Any = record.msg
    text = str(message.get("event", "")) if isinstance(message, dict) else str(message)
    return text.partition("\n")[0][:_LONGEST_EVENT]


def configure(level: int, stream: TextIO | None = None, *, as_json: bool = False) -> LimitedHandler:
    """Send the lines of structlog and of the standard library's loggers through one handler; return it.

    Configuring again replaces the earlier handler, so that no line is written twice.
    """
    handler = LimitedHandler(sys.stderr if stream is None else stream)
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if as_json
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
            processors=[ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for earlier in [it for it in root.handlers if isinstance(it, LimitedHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        processors=[*_SHARED, ProcessorFormatter.wrap_for_formatter],
        cache_logger_on_first_use=False,
    )
    return handler

"""What an operator's log holds, and what not."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from kswifi.bootstrap import log_lines
from kswifi.bootstrap.log_lines import LINES_IN_WINDOW, WINDOW_SECONDS, LimitedHandler
from kswifi.bootstrap.process import configure_logging
from kswifi.settings import Settings


@pytest.fixture
def undisturbed() -> Iterator[None]:
    """Give the process's logging back as it was."""
    root = logging.getLogger()
    names = ("alembic", "uvicorn")
    before, level, levels = list(root.handlers), root.level, [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:] = before
    root.setLevel(level)
    for name, each in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(each)
    structlog.reset_defaults()


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize(("level", "alembic"), [("info", logging.WARNING), ("error", logging.ERROR)])
def test_the_steps_of_migrations_are_not_logged(level: Literal["info", "error"], alembic: int) -> None:
    configure_logging(Settings(log_level=level))
    assert logging.getLogger("alembic").level == alembic


@pytest.mark.usefixtures("undisturbed")
def test_lines_of_both_kinds_of_loggers_are_written_once_in_one_form() -> None:
    out = io.StringIO()
    for _ in range(2):  # configured twice, as by a process that runs the server and the lab
        log_lines.configure(logging.INFO, out)
    structlog.get_logger("ours").info("order_taken", order_id="o-1")
    logging.getLogger("uvicorn.error").info("Cancel %s running task(s)", 3)
    structlog.get_logger("ours").debug("too_small")
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("timestamp='") and " level='info' " in line for line in lines)
    assert "event='order_taken'" in lines[0]
    assert "order_id='o-1'" in lines[0]
    assert "event='Cancel 3 running task(s)'" in lines[1]
    assert "logger='uvicorn.error'" in lines[1]


@pytest.mark.usefixtures("undisturbed")
def test_a_flood_of_one_event_is_counted_and_hides_no_other() -> None:
    out, now = io.StringIO(), [0.0]
    handler = log_lines.configure(logging.INFO, out)
    handler._clock = lambda: now[0]
    for number in range(10_000):
        structlog.get_logger("ours").warning("request_malformed", number=number)
        logging.getLogger("theirs").warning("peer %s sent no message", number)
    structlog.get_logger("ours").info("ready")
    lines = out.getvalue().splitlines()
    assert len(lines) == 2 * LINES_IN_WINDOW + 1
    assert "event='ready'" in lines[-1]
    now[0] += WINDOW_SECONDS
    structlog.get_logger("ours").info("later")
    told = [line for line in out.getvalue().splitlines() if "log_lines_suppressed" in line]
    assert [f"count={10_000 - LINES_IN_WINDOW}" in line for line in told] == [True, True]
    assert "of='request_malformed'" in told[0]
    assert "level='warning'" in told[0]
    structlog.get_logger("ours").warning("request_malformed", number=1)
    assert "number=1" in out.getvalue().splitlines()[-1]


@pytest.mark.usefixtures("undisturbed")
def test_the_counts_of_a_flood_are_written_when_the_process_ends() -> None:
    out = io.StringIO()
    handler = log_lines.configure(logging.INFO, out)
    for _ in range(LINES_IN_WINDOW + 7):
        structlog.get_logger("ours").warning("again")
    assert isinstance(handler, LimitedHandler)
    handler.close()
    assert "count=7" in out.getvalue().splitlines()[-1]


@pytest.mark.usefixtures("undisturbed")
def test_a_traceback_is_in_the_line_of_its_event() -> None:
    out = io.StringIO()
    log_lines.configure(logging.INFO, out)
    try:
        int("broken")
    except ValueError:
        structlog.get_logger("ours").exception("job_failed")
        logging.getLogger("theirs").exception("failed")
    assert out.getvalue().count("ValueError: invalid literal") == 2


@pytest.mark.usefixtures("undisturbed")
def test_json_lines_hold_the_same_facts_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    structlog.get_logger("ours").info("order_taken", order_id="o-1", path=Path("/srv"), text="two\nlines")
    logging.getLogger("theirs").warning("peer %s is gone", "a")
    try:
        int("broken")
    except ValueError:
        structlog.get_logger("ours").exception("job_failed")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["order_taken", "peer a is gone", "job_failed"]
    assert lines[0].items() >= {"level": "info", "order_id": "o-1", "path": "/srv", "text": "two\nlines"}.items()
    assert lines[0]["timestamp"].endswith("Z")
    assert "ValueError: invalid literal" in lines[2]["exception"]


@pytest.mark.usefixtures("undisturbed")
def test_access_lines_are_all_written() -> None:
    out = io.StringIO()
    log_lines.configure(logging.INFO, out)
    for _ in range(LINES_IN_WINDOW * 3):
        structlog.get_logger("ours").info("http_request", status=200)
    assert len(out.getvalue().splitlines()) == LINES_IN_WINDOW * 3

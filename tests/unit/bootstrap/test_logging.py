"""What an operator's log holds, and what not."""

import logging
from typing import Literal

import pytest
import structlog

from kswifi.bootstrap.process import configure_logging
from kswifi.settings import Settings


@pytest.mark.parametrize(("level", "alembic"), [("info", logging.WARNING), ("error", logging.ERROR)])
def test_the_steps_of_migrations_are_not_logged(
    monkeypatch: pytest.MonkeyPatch, level: Literal["info", "error"], alembic: int
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr(structlog, "configure", lambda **_: None)
    logger = logging.getLogger("alembic")
    before = logger.level
    try:
        configure_logging(Settings(log_level=level))
        assert logger.level == alembic
    finally:
        logger.setLevel(before)

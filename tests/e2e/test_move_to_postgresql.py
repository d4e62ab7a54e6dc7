"""A used installation moves from SQLite to PostgreSQL, and goes on there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support import postgresql
from tests.support.system import WholeSystem, running_system, whole_system


def _move(system: WholeSystem) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kswifi", "move", "sqlite-to-postgresql", "--json"]
    return subprocess.run(command, env=system.environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.timeout(400)
@pytest.mark.sqlite  # it begins on SQLite
def test_everything_is_there_afterwards_and_the_session_goes_on(tmp_path: Path) -> None:
    url = postgresql.fresh_url(tmp_path / "var")
    with running_system(tmp_path) as system, system.stored("day-1mb", name="ada") as road:
        session_id = road.walked.session_id
    system.environment = {**system.environment, "KSWIFI_DATABASE_URL": url}
    moved = _move(system)
    assert moved.returncode == 0, moved.stderr
    counts = json.loads(moved.stdout)
    assert counts["rows_of_table"]["internet_session"] == 1
    assert counts["rows_of_table"]["book_entry"] == 0 or counts["rows_of_table"]["book_line"] > 1
    assert not (system.data_dir / "control.db").exists()

    again = _move(system)
    assert again.returncode == 1
    assert "nothing is to be moved" in again.stderr

    system.start()
    try:
        with system.stored("day-1mb") as other:
            assert other.walked.session_id != session_id
    finally:
        system.stop()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM internet_session WHERE state = 'stored'")) == 2
    engine.dispose()
    without = whole_system(tmp_path / "other", data_dir=system.data_dir)
    with pytest.raises(Exception, match=r"lost control\.db"):
        without.start()
    without.stop()

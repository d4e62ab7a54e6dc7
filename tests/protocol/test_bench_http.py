"""`kswifi bench http` with few requests: every row is measured at a real server."""

from dataclasses import replace
from pathlib import Path

import pytest

from kswifi.bench.http import HttpBench, run_bench
from kswifi.lab.children import ChildFailedError

FEW = HttpBench(rounds=1, requests=2, orders=2, streams=7, idle_seconds=0.3)
ROWS = (
    "offers_anonymous",
    "account",
    "list_of_20_sessions",
    "package",
    "idempotent_write",
    "order_until_packaged",
    "transfer_until_released",
    "sign_in",
)


def test_it_measures_every_row_at_a_real_server() -> None:
    figures = run_bench(FEW)
    for row in ROWS:
        assert float(figures[f"{row}_cpu_ms"]) > 0, row
    assert figures["streams"] == 7
    assert float(figures["streams_open_cpu_ms_total"]) > 0
    assert float(figures["streams_idle_cpu_ms_per_second"]) >= 0
    # A password is hashed to sign in, and argon2 is meant to be expensive: the server's own work was measured.
    assert float(figures["sign_in_cpu_ms"]) > 3 * float(figures["offers_anonymous_cpu_ms"])
    assert str(figures["package"]).endswith("kswifi")


def test_another_interpreter_runs_the_server(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho another interpreter >&2\nexit 1\n")
    python.chmod(0o700)
    with pytest.raises(ChildFailedError, match="another interpreter"):
        run_bench(replace(FEW, python=python))

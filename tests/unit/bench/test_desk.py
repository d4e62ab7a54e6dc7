"""`kswifi bench desk` over few customers: each kind of search finds the customer whom it looks for."""

from pathlib import Path

import pytest

from kswifi.bench.desk import KINDS, DeskBench, run_desk_bench


@pytest.mark.soak
def test_every_kind_of_search_finds_its_customer(tmp_path: Path) -> None:
    figures = run_desk_bench(DeskBench(accounts=1_000, searches=2 * len(KINDS), pages=2, folder=tmp_path))
    assert figures["search_slowest_kind"] in KINDS
    for name in ("search_p50_ms", "search_p95_ms", "today_max_ms", "fraud_max_ms"):
        assert float(figures[name]) > 0, name
    assert list(tmp_path.iterdir()) == []

"""The charging bench at work, for a moment: it measures what it says, and leaves nothing behind."""

from pathlib import Path

from kswifi.bench.charging import ChargingBench, run_bench
from kswifi.bench.disk import NotOnDiskError


def test_it_loads_a_real_server(tmp_path: Path) -> None:
    try:
        figures = run_bench(ChargingBench(16, 0.5, 100, tmp_path, warm_up_seconds=0.5))
    except NotOnDiskError:
        return  # the temporary folder is memory here: refusing it is what was wanted
    assert figures["errors"] == 0
    assert figures["outstanding"] == 16
    assert figures["subscribers"] == 100
    assert float(figures["requests_per_s"]) > 0
    assert float(figures["cpu_us_per_request"]) > 0
    assert 0 < float(figures["mean_batch"]) <= 16
    assert not list(tmp_path.iterdir())

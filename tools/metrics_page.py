"""Write docs/metrics.md: every metric with its type, labels and meaning, from a server that runs for a moment.

``python -m tools.metrics_page`` starts a server in a folder of its own, reads its metrics, and writes the page. A
test compares the page with the code.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from prometheus_client import core
from prometheus_client.parser import text_string_to_metric_families

from kswifi.bootstrap.server import run_server
from kswifi.settings import load_settings

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "metrics.md"
_HEADING: Final = """# Metrics

The monitoring port serves these at `/metrics`, in Prometheus' text format (`KSWIFI_METRICS_HOST`,
`KSWIFI_METRICS_PORT`, `KSWIFI_METRICS_NETWORKS`; [reverse-proxy.md](reverse-proxy.md#metrics-and-health)). Counters
begin at 0 when the process starts. A metric whose labels stand here may have no sample until something happens.
Alert rules and a dashboard for them are in [deploy/monitoring](../deploy/monitoring/).

`python -m tools.metrics_page` writes this page from the code; do not edit it.

| metric | type | labels | meaning |
|---|---|---|---|
"""
_FAMILIES: Final = ("CounterMetricFamily", "GaugeMetricFamily", "HistogramMetricFamily", "InfoMetricFamily")
_PORTS: Final = ("API", "DIAMETER", "RSP", "METRICS", "LAB", "CONTENT", "PROXY", "ATTACH", "SANDBOX", "CONSOLE")


@dataclass(frozen=True, slots=True)
class MetricOnPage:
    """One metric: its name as Prometheus stores it, its type, its labels and its meaning."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def _note_labels(into: dict[str, tuple[str, ...]]) -> None:
    """Note the labels of each family that is made from now on: a family without samples does not show them."""
    for family in _FAMILIES:
        kind: Any = getattr(core, family)

        def made(self: Any, name: str, *rest: Any, _init: Callable[..., None] = kind.__init__, **more: Any) -> None:
            _init(self, name, *rest, **more)
            into[self.name] = tuple(getattr(self, "_labelnames", ()))

        kind.__init__ = made


async def _metrics_of_a_server(folder: Path) -> str:
    os.environ.update({f"KSWIFI_{name}_PORT": "0" for name in _PORTS}, KSWIFI_DATA_DIR=str(folder / "var"))
    os.environ["KSWIFI_LOG_LEVEL"] = "error"
    reading, writing = os.pipe()
    texts: list[str] = []

    async def ask(reached: Mapping[str, Any]) -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            texts.append((await client.get(f"http://{reached['metrics']}/metrics")).text)
        os.close(writing)  # the end of its input stops the server

    asking: list[asyncio.Task[None]] = []
    await run_server(load_settings(), lambda reached: asking.append(asyncio.create_task(ask(reached))), reading)
    await asking[0]
    return texts[0]


def metrics() -> list[MetricOnPage]:
    """Return every metric of a server in embedded mode, sorted by name; the process must be a fresh one."""
    labels: dict[str, tuple[str, ...]] = {}
    _note_labels(labels)
    with tempfile.TemporaryDirectory() as folder:
        text = asyncio.run(_metrics_of_a_server(Path(folder)))
    found = []
    for family in text_string_to_metric_families(text):
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        name = family.name if family.name.endswith(suffix) else family.name + suffix
        sampled = {label for sample in family.samples for label in sample.labels if label != "le"}
        known = labels.get(family.name) or tuple(sorted(sampled))
        found.append(MetricOnPage(name, family.type, known, family.documentation))
    return sorted(found, key=lambda it: it.name)


def page() -> str:
    """Return the page for the present code; it is made by a process of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KSWIFI_")}
    command = [sys.executable, "-m", "tools.metrics_page", "--print"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=own, timeout=120)
    return done.stdout


def _text() -> str:
    rows = []
    for it in metrics():
        labels = ", ".join(f"`{label}`" for label in it.labels)
        rows.append(f"| `{it.name}` | {it.kind} | {labels} | {it.meaning.replace('|', '&#124;')} |\n")
    return _HEADING + "".join(rows)


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(_text())
    else:
        PAGE.write_text(page(), encoding="utf-8")

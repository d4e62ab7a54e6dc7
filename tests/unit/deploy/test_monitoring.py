"""Alert rules and dashboard name metrics that exist, and every alert has its runbook."""

import json
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.programs import required_program

ROOT: Final = Path(__file__).resolve().parents[3]
MONITORING: Final = ROOT / "deploy" / "monitoring"
_NAME: Final = re.compile(r"\b(?:kswifi|process|python)_[a-z_]+\b")


def documented_metrics() -> set[str]:
    """Return the names that Prometheus stores, a histogram's series included."""
    names: set[str] = set()
    page = (ROOT / "docs" / "metrics.md").read_text()
    for name, kind in re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", page, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return names


def expressions() -> dict[str, str]:
    """Return every expression of the rules and of the dashboard, by its alert or panel."""
    rules = (MONITORING / "alerts.yml").read_text()
    found = dict(re.findall(r"- alert: (\w+)\n(.*?)\n {8}(?:for|labels):", rules, re.DOTALL))
    assert len(found) == rules.count("- alert:")
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return found


@pytest.mark.parametrize(("place", "expression"), expressions().items(), ids=expressions().keys())
def test_every_metric_of_rules_and_dashboard_exists(place: str, expression: str) -> None:
    used = set(_NAME.findall(expression)) | ({"up"} if "up{" in expression else set())
    assert used, place
    assert used - documented_metrics() - {"up"} == set()


def test_every_alert_has_a_runbook() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text().lower()
    rules = (MONITORING / "alerts.yml").read_text()
    for anchor in re.findall(r"runbook: docs/operations\.md#(\w+)", rules):
        assert f"\n### {anchor}\n" in operations, anchor
    assert rules.count("runbook:") == rules.count("- alert:")


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize(
    "check",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml"), ("check", "config", "prometheus.yml")],
)
def test_prometheus_accepts_rules_and_configuration(check: tuple[str, ...]) -> None:
    promtool = required_program("promtool", "prometheus")
    done = subprocess.run(
        [promtool, *check], cwd=MONITORING, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""A server that gives real octets away says what that may cost, or does not start; its metrics are real ones."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from kswifi.lab.children import ChildFailedError
from kswifi.lab.ports import free_ports
from tests.support.own_core import PORT_SETTINGS
from tests.support.system import ForkedChild


def kswifi(environment: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "kswifi", *arguments]
    ran = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_what_is_left_open_is_said_and_a_budget_without_a_price_is_refused(tmp_path: Path) -> None:
    ports = free_ports(PORT_SETTINGS)
    environment = {
        "KSWIFI_DATA_DIR": str(tmp_path / "var"),
        "KSWIFI_MODE": "own-core",
        "KSWIFI_IDENTIFIER_PROOF": "false",
        "KSWIFI_FREE_REQUIRES": "nothing",
        **{f"KSWIFI_{name}": str(port) for name, port in ports.items()},
    }
    log = tmp_path / "server.log"
    server = ForkedChild("server", environment, log)
    try:
        said = log.read_text()
        for words in ("the cost price of a free GB is 0", "no ceiling is set", "KSWIFI_FREE_REQUIRES is nothing"):
            assert words in said
        shown = kswifi(environment, "budget", "show")
        assert "a GB costs ₦0" in shown
        assert shown.count("WARNING: ") == 3 + 3
        assert said.count("free_data_waits_for") == shown.count("WARNING: free data has not started: ") == 3
        assert "WARNING: the cost price" in kswifi(
            environment, "budget", "set", "operator", "--total-kobo", "100000"
        )  # without a ceiling
        assert len(json.loads(kswifi(environment, "budget", "show", "--json"))["warnings"]) == 2 + 3
    finally:
        server.stop()

    with pytest.raises(ChildFailedError, match="KSWIFI_FREE_COST_KOBO_PER_GB"):
        ForkedChild("server", environment, log)

    began = log.stat().st_size
    priced = {**environment, "KSWIFI_FREE_COST_KOBO_PER_GB": "20000", "KSWIFI_FREE_REQUIRES": "voucher"}
    server = ForkedChild("server", priced, log)
    try:
        said = log.read_bytes()[began:].decode()
        assert "free_data_left_open" not in said
        assert "nothing limits a day or a month" in said
        kswifi(priced, "budget", "set", "operator", "--total-kobo", "100000", "--daily-kobo", "50000")
        assert "WARNING" not in kswifi(priced, "budget", "show")
        assert "all safeguards are there" in kswifi(priced, "fraud", "safeguards")
        told = httpx2.get(f"http://127.0.0.1:{ports['METRICS_PORT']}/metrics", trust_env=False).text
        assert 'kswifi_budget_left_kobo{budget="operator",kind="operator"} 100000.0' in told
        assert "kswifi_free_data_cost_kobo_per_gb 20000.0" in told
        assert "kswifi_gy_latency_seconds_count 0.0" in told
    finally:
        server.stop()

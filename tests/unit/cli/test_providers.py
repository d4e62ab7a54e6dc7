"""`kswifi providers` against a rehearsal in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "kswifi", "providers"]


def run(environment: dict[str, str], *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Rehearse eSIM Go; give the environment that its output says."""
    folder: Path = tmp_path_factory.mktemp("providers")
    environment = {**os.environ, "KSWIFI_DATA_DIR": str(folder), "PYTHONUTF8": "1"}
    words = [*COMMAND, "rehearse", "esim_go", "--port", "0", "--file", str(folder / "book.json")]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            name, separator, value = line.strip().partition("=")
            if separator and name.startswith("KSWIFI_"):
                environment[name] = value
            if line.startswith("Stop"):
                break
        yield environment
        process.send_signal(signal.SIGINT)


def test_check_balance_and_catalogue(rehearsal: dict[str, str]) -> None:
    priced = rehearsal | {"KSWIFI_FX_RATES": "USD=1600", "KSWIFI_FX_RATES_ON": "2020-01-01"}
    status, text = run(rehearsal, "check", "--json")
    found = json.loads(text)["providers"][0]
    assert (status, found["works"], found["money_moves"]) == (0, True, False)
    assert found["unconfirmed"]
    status, text = run(priced, "balance")
    assert (status, text) == (0, "esim_go      USD 200.00  (₦336,000 with the margin)\n")
    status, text = run(priced, "catalogue", "--country", "gh", "--json")
    rows = json.loads(text)["bundles"]
    assert {it["bundle_id"] for it in rows} == {"esim_1GB_7D_GH_V2", "esim_3GB_30D_GH_V2"}
    assert rows[0]["kobo_per_gb"] == 756_000  # 4.50 dollars at 1600 naira and 5 %
    status, text = run(priced, "catalogue")
    assert status == 0
    assert "more than a day old" in text
    assert "no limit" in text
    status, text = run(rehearsal, "catalogue")
    assert "KSWIFI_FX_RATES=USD=" in text


def test_a_wrong_key_is_exit_status_1(rehearsal: dict[str, str]) -> None:
    wrong = rehearsal | {"KSWIFI_ESIM_GO_API_KEY": "wrong"}
    status, text = run(wrong, "check")
    assert status == 1
    assert "works        NO: " in text
    assert run(wrong, "balance")[0] == 1


def test_without_a_provider_the_command_says_how_to_set_one(rehearsal: dict[str, str]) -> None:
    bare = {
        name: value for name, value in rehearsal.items() if not name.startswith(("KSWIFI_DATA_P", "KSWIFI_ESIM"))
    }
    for words in (["check"], ["balance"], ["catalogue"]):
        status, text = run(bare, *words)
        assert (status, "KSWIFI_DATA_PROVIDERS" in text) == (0, True)
    assert run(bare, "balance", "vtpass")[0] == 1
    assert run(bare, "rehearse", "airtel")[0] == 1

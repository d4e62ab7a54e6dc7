"""The demo in resold mode: every process real, the provider behind its API, once for each kind of line."""

import json
import os
import subprocess
import sys

import pytest

_SECONDS = 280


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("arguments", "line", "provider", "bundles"),
    [
        ((), "esim", "esim_go", 1),
        pytest.param(("--provider", "esim_access"), "esim", "esim_access", 1, marks=pytest.mark.soak),
        pytest.param(("--line", "vended"), "vended", "vtpass", 3, marks=pytest.mark.soak),
    ],
)
def test_the_demo_through_a_data_provider(
    arguments: tuple[str, ...], line: str, provider: str, bundles: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kswifi", "demo", "--mode", "resold", "--json", *arguments],
        capture_output=True,
        timeout=_SECONDS,
        check=False,
        env={key: value for key, value in os.environ.items() if not key.startswith("KSWIFI_")},
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    facts = json.loads(done.stdout)
    assert (facts["mode"], facts["line"], facts["provider"]) == ("resold", line, provider)
    assert facts["bundles_bought"] == bundles
    assert facts["delivered_octets"] == facts["reported_octets"] == facts["bundle_octets"]
    assert facts["overrun_octets"] == facts["bundle_octets"] - facts["allowance_octets"]
    assert facts["cut_off_confirmed"] is True
    assert facts["state"] == "exhausted"
    assert facts["books_sum"] == 0
    assert facts["cost_minor"] > 0


def test_options_of_the_resold_demo_that_do_not_fit_are_refused() -> None:
    for arguments in (["--line", "esim", "--provider", "vtpass", "--mode", "resold"], ["--line", "esim"]):
        done = subprocess.run(
            [sys.executable, "-m", "kswifi", "demo", *arguments], capture_output=True, timeout=60, check=False
        )
        assert done.returncode != 0

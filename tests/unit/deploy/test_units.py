"""The systemd units are valid and sandboxed, and agree with the settings."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from kswifi.settings import Settings
from tests.support.programs import required_program

ROOT: Final = Path(__file__).resolve().parents[3]
UNITS: Final = sorted((ROOT / "deploy" / "systemd").iterdir())
SERVICES: Final = [unit for unit in UNITS if unit.suffix == ".service"]
LARGEST_EXPOSURE: Final = 1.5
"""On the scale of `systemd-analyze security`, where 10 is an unrestricted service."""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    analyze = required_program("systemd-analyze", "systemd")
    for each in UNITS:  # the command need not be installed here
        (tmp_path / each.name).write_text(each.read_text().replace("/opt/kswifi/bin/kswifi", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_sandbox_leaves_little_exposed(unit: Path) -> None:
    analyze = required_program("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "security", "--offline=true", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= LARGEST_EXPOSURE


def test_the_socket_listens_where_the_default_settings_say() -> None:
    fields = Settings.model_fields
    unit = (ROOT / "deploy" / "systemd" / "kswifi.socket").read_text()
    assert f"\nListenStream={fields['host'].default}:{fields['api_port'].default}\n" in unit


def test_the_example_environment_sets_real_settings() -> None:
    text = (ROOT / "deploy" / "debian" / "kswifi.env").read_text()
    names = re.findall(r"^#?(KSWIFI_\w+)=", text, re.MULTILINE)
    assert len(names) > 5
    assert {name.removeprefix("KSWIFI_").lower() for name in names} <= set(Settings.model_fields)

"""Set-up scripts say before they install packages of the system, and can be kept from it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NEED = '. "./need.sh"; need kswifi-missing-program some-package'


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the scripts, with a Python that has no venv and a user that looks like root."""
    for name in ("setup.sh", "need.sh"):
        (tmp_path / "tools").mkdir(exist_ok=True)
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools" / name)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    programs = {
        "python3": 'case "$2" in *ensurepip*) exit 1 ;; *print*) echo python3.13-venv ;; esac',
        "id": "echo 0",
        "apt-get": 'echo "apt-get $*" >&2; exit 1',
    }
    (tmp_path / "bin").mkdir()
    for name, script in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def _run(folder: Path, script: list[str], no_apt: str) -> tuple[int, list[str]]:
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "NO_APT": no_apt}
    done = subprocess.run(
        script, cwd=folder / "tools", env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("script", "package"),
    [(["sh", "setup.sh", "runtime"], "python3.13-venv"), (["sh", "-c", NEED], "some-package")],
)
def test_root_reads_what_is_installed_before_it_is(copied: Path, script: list[str], package: str) -> None:
    _code, lines = _run(copied, script, "")
    acting = next(at for at, line in enumerate(lines) if line.startswith("apt-get"))
    before = " ".join(lines[:acting])
    assert f"this now changes the system: apt-get install {package}" in before
    assert "NO_APT=1" in before


@pytest.mark.parametrize(
    ("script", "code", "package"),
    [(["sh", "setup.sh", "runtime"], 1, "python3.13-venv"), (["sh", "-c", NEED], 0, "some-package")],
)
def test_nothing_is_installed_with_no_apt(copied: Path, script: list[str], code: int, package: str) -> None:
    ended, lines = _run(copied, script, "1")
    assert ended == code
    assert f"apt install {package}" in lines[-1]
    assert not [line for line in lines if line.startswith("apt-get")]

"""What tests need of Node: the packages of tools/js. No one who runs KSWiFi needs them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path(__file__).parents[2] / "tools/js"


def need_node_modules() -> None:
    """Install the locked packages of tools/js where they are missing; skip the test where they cannot be installed.

    In CI (``CI=true``) the test fails instead.
    """
    made = subprocess.run(
        ["sh", str(FOLDER / "install.sh")], capture_output=True, text=True, timeout=100, check=False
    )
    if made.returncode != 0:
        _leave_out(made.stderr.strip()[-200:])


def _leave_out(why: str) -> NoReturn:
    words = f"the test of the app's JavaScript is left out: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


def npm_run(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script of tools/js/package.json."""
    npm = shutil.which("npm")
    assert npm is not None
    return subprocess.run(
        [npm, "run", "--silent", script], cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False
    )

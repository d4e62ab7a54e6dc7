"""The app's JavaScript has types, in comments, and they hold. Only this check needs Node."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path(__file__).parents[2] / "js"


def _leave_out(why: str) -> NoReturn:
    """Skip where a machine lacks something; in CI nothing may be left out."""
    words = f"the JavaScript type check is left out: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


def test_the_types_of_the_app_hold() -> None:
    npm = shutil.which("npm")
    if npm is None:
        _leave_out("Node and npm are missing")
    if not (FOLDER / "node_modules/.bin/tsc").exists():
        made = subprocess.run(
            [npm, "ci", "--ignore-scripts"], cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False
        )
        if made.returncode != 0:
            _leave_out(f"npm ci said: {made.stderr.strip()[-200:]}")
    checked = subprocess.run(
        [npm, "run", "--silent", "check"], cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False
    )
    assert checked.returncode == 0, checked.stdout

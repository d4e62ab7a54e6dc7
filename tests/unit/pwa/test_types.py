"""The app's JavaScript has types, in comments, and they hold. Only this check needs Node."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "js"


def test_the_types_of_the_app_hold() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("the JavaScript type check is left out: Node and npm are missing")
    if not (FOLDER / "node_modules/.bin/tsc").exists():
        made = subprocess.run(
            [npm, "ci", "--ignore-scripts"], cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"the JavaScript type check is left out: npm ci said: {made.stderr.strip()[-200:]}")
    checked = subprocess.run(
        [npm, "run", "--silent", "check"], cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False
    )
    assert checked.returncode == 0, checked.stdout

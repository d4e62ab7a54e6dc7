"""Comparing the figures of two commits, and refusing what git does not know."""

import subprocess
import sys
from pathlib import Path

import pytest

from kswifi.bench import versus
from kswifi.bench.versus import Figures, compare, run_versus
from kswifi.kernel.errors import RefusedError


def test_that_medians_are_compared_and_words_and_missing_figures_left_out() -> None:
    there: list[Figures] = [
        {"cpu_us": 40.0, "kind": "ext4", "errors": 0},
        {"cpu_us": 90.0, "errors": 0},
        {"cpu_us": 50, "errors": 0},
    ]
    here: list[Figures] = [{"cpu_us": n, "kind": "ext4", "errors": 0, "new_figure": 1} for n in (30, 20, 25)]
    assert compare(there, here) == {
        "cpu_us": {"vs": 50, "here": 25, "ratio": 0.5},
        "errors": {"vs": 0, "here": 0, "ratio": None},
    }


def test_that_each_commit_runs_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.ng"]
    main = tmp_path / "src" / "kswifi" / "__main__.py"
    main.parent.mkdir(parents=True)
    main.with_name("__init__.py").touch()
    subprocess.run([*git, "init", "-q"], check=True)
    for cost in (8, 2):
        main.write_text(f"import json, sys\nprint(json.dumps({{'cost': {cost}, 'arguments': len(sys.argv)}}))\n")
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", f"cost {cost}"], check=True)
    monkeypatch.setattr(versus, "_HERE", tmp_path)
    figures = run_versus("HEAD~1", 2, ["http", "--streams", "1"])
    assert figures["cost"] == {"vs": 8, "here": 2, "ratio": 0.25}
    assert figures["arguments"]["here"] == len(["-m", "bench", "http", "--streams", "1", "--json"])
    listed = subprocess.run([*git, "worktree", "list"], check=True, capture_output=True, text=True)
    assert len(listed.stdout.splitlines()) == 1, "the temporary worktree stays"


@pytest.mark.parametrize("reference", ["no-such-commit", "--exec=false"])
def test_that_what_is_no_commit_is_refused(reference: str) -> None:
    with pytest.raises(RefusedError, match=reference):
        run_versus(reference, 1, [sys.executable])

"""`kswifi bench ... --vs REF`: the same bench on this checkout and on another commit of it, in turns.

Runs of one build differ by a fifth on a busy machine, so figures taken an hour apart prove nothing. Here each round
runs the bench of the other commit and then this one, and what is compared are the medians. The other commit is
checked out into a temporary worktree and runs with this interpreter and its packages: whole, with its own load
generator. Where a commit changes the generator, its figures do not compare.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from kswifi.kernel.errors import Refusal

Figures: TypeAlias = Mapping[str, Any]

VS_REFUSED: Final = Refusal("vs_refused", "The other commit cannot be measured.")
_HERE: Final = Path(__file__).resolve().parents[3]


def run_versus(reference: str, rounds: int, arguments: Sequence[str]) -> dict[str, Any]:
    """Run one bench of two commits in turns, and return the medians of both and their ratios.

    Args:
        reference: the other commit, as git names it: a branch, a tag, a hash, ``HEAD~1``.
        rounds: how often each of them runs.
        arguments: of ``kswifi bench``: the name of the bench and its options, without ``--json``.

    Returns:
        ``vs`` (the other commit's hash), ``rounds``, and for each figure that is a number ``{"vs": median of the
        other commit, "here": median of this checkout, "ratio": here / vs, or None if vs is 0}``.

    Raises:
        RefusedError: this installation is no git checkout, git knows no such commit, or a run failed.
    """
    commit = _commit(reference)
    there: list[Figures] = []
    here: list[Figures] = []
    with _worktree(commit) as source:
        for _ in range(rounds):
            there.append(_run(source / "src", arguments))
            here.append(_run(_HERE / "src", arguments))
    return {"vs": commit, "rounds": rounds, **compare(there, here)}


def compare(there: Sequence[Figures], here: Sequence[Figures]) -> dict[str, dict[str, float | None]]:
    """Return the medians of each figure that every run has as a number, and the ratio of this checkout's."""
    rows: dict[str, dict[str, float | None]] = {}
    for name in here[0]:
        if all(isinstance(run.get(name), int | float) for run in (*there, *here)):
            before = statistics.median(run[name] for run in there)
            now = statistics.median(run[name] for run in here)
            rows[name] = {"vs": before, "here": now, "ratio": round(now / before, 3) if before else None}
    return rows


def _run(source: Path, arguments: Sequence[str]) -> Figures:
    """Run one bench of the checkout whose packages are in ``source``; its children import from there too."""
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "kswifi", "bench", *arguments, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        raise VS_REFUSED(f"the bench of {source.parent} failed: {last}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def _commit(reference: str) -> str:
    if reference.startswith("-"):
        raise VS_REFUSED(f"{reference} is an option of git, not a commit")
    return _git("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}", refused=f"git knows no {reference}")


@contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    """Check the commit out into a temporary folder, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="kswifi-bench-vs-") as name:
        folder = Path(name) / "checkout"
        _git("worktree", "add", "--detach", str(folder), commit, refused=f"{commit} cannot be checked out")
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder), refused=f"{folder} cannot be removed")


def _git(*arguments: str, refused: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise VS_REFUSED("git is not installed")
    done = subprocess.run(  # noqa: S603 - arguments of our own, and a commit that rev-parse named
        [git, "-C", str(_HERE), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise VS_REFUSED(f"{refused}: {words[-1]}" if words else refused)
    return done.stdout.strip()

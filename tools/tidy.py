"""The tidy test: what no linter knows about this repository. Run by `make check`.

Each rule is a function from a tracked text file to its complaints, so that adding one is adding a function.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE_LINES = 600
LONGEST_SCRIPT_LINE = 140
_BINARY = {".der", ".png", ".ttf", ".bin", ".ico", ".svg", ".hex", ".pem"}
_UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
_BARE_SESSION = re.compile(r"(class Session\b|: Session\b|\[Session\b|-> Session\b)")
_REGISTRY = re.compile(
    r"(pypi\.org|pythonhosted|registry\.npm"
    r"js|npmjs\.org|deb\.debian|crates\.io|static\.rust|maven\.org)"
)
_THIS_MACHINE = re.compile(r"(/work/|/root/|\.\./shared|/home/[a-z])")

Rule = Callable[[str, str], Iterator[str]]


def no_long_files(name: str, text: str) -> Iterator[str]:
    """A file is small enough to hold in one's head."""
    lines = text.count("\n")
    if name.endswith(".py") and lines > LONGEST_FILE_LINES:
        yield f"{lines} lines; split it by subject ({LONGEST_FILE_LINES} at most)"


def no_long_lines_of_script(name: str, text: str) -> Iterator[str]:
    """Lines of the app's JavaScript fit an editor; Biome does not break those of a template.

    The texts of a language are left out: there, a line is a text.
    """
    folder = "src/kswifi/pwa/static/"
    if name.startswith((f"{folder}js/", f"{folder}sw.js")) and not name.startswith(f"{folder}js/text/"):
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > LONGEST_SCRIPT_LINE:
                yield f"line {number}: {len(line)} characters; break it ({LONGEST_SCRIPT_LINE} at most)"


def nothing_unfinished(name: str, text: str) -> Iterator[str]:
    """Unfinished work is an issue, not a comment."""
    if name.endswith((".py", ".js", ".css", ".html", ".sh")):
        for number, line in enumerate(text.splitlines(), 1):
            if _UNFINISHED.search(line):
                yield f"line {number}: unfinished work: {line.strip()[:60]}"


def no_bare_session(name: str, text: str) -> Iterator[str]:
    """There are four kinds of session here; say which."""
    if name.startswith(("src/", "tests/")) and name.endswith(".py") and name != "tests/unit/tools/test_tidy.py":
        for number, line in enumerate(text.splitlines(), 1):
            if _BARE_SESSION.search(line):
                yield f"line {number}: a bare 'session': say which (GLOSSARY.md): {line.strip()[:60]}"


def no_registry_hosts(name: str, text: str) -> Iterator[str]:
    """Packages are named; where they come from is the reader's client's affair."""
    if name != "tools/tidy.py":
        for match in _REGISTRY.finditer(text):
            yield f"names the registry host {match.group()}"


def no_machine_paths(name: str, text: str) -> Iterator[str]:
    """The project speaks of itself alone."""
    if name != "tools/tidy.py":
        for match in _THIS_MACHINE.finditer(text):
            yield f"names a path of one machine: {match.group()}"


def one_final_newline(name: str, text: str) -> Iterator[str]:
    """Every text file ends with one newline, and has no carriage returns."""
    if text and not text.endswith("\n"):
        yield "no newline at the end"
    if text.endswith("\n\n"):
        yield "blank lines at the end"
    if "\r" in text and not name.startswith("tests/data/"):
        yield "carriage returns"


RULES: tuple[Rule, ...] = (
    no_long_files,
    no_long_lines_of_script,
    nothing_unfinished,
    no_bare_session,
    no_registry_hosts,
    no_machine_paths,
    one_final_newline,
)


def tracked_files() -> list[str]:
    """Return the names git tracks, and those it would take."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted(name for name in listing.stdout.splitlines() if (ROOT / name).is_file())


def complaints() -> Iterator[str]:
    """Yield every complaint of every rule."""
    for name in tracked_files():
        if Path(name).suffix in _BINARY:
            continue
        if Path(name).name == "uv.lock":
            yield f"{name}: holds registry hosts; the lock is requirements/*.txt"
        text = (ROOT / name).read_text(encoding="utf-8")
        for rule in RULES:
            yield from (f"{name}: {complaint}" for complaint in rule(name, text))


def main() -> int:
    """Print the complaints; 1 if there are any."""
    found = list(complaints())
    for complaint in found:
        print(complaint)
    print(f"tidy: {len(found)} complaints" if found else "tidy: all well")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

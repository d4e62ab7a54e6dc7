"""The tidy test: rules of this repository that no linter knows. Run by `make check`.

Each rule is a function of a tracked text file's name and content that yields complaints. To add a rule, write
such a function and list it in RULES. The one rule about commits, ``long_subject``, is called apart.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE_LINES = 600
LONGEST_FUNCTION_LINES = 60
LONGEST_SCRIPT_LINE = 140
_BINARY = {".der", ".png", ".ttf", ".bin", ".ico", ".svg", ".hex", ".pem"}
_UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
_BARE_SESSION = re.compile(r"(class Session\b|: Session\b|\[Session\b|-> Session\b)")
_REGISTRY = re.compile(
    r"(pypi\.org|pythonhosted|registry\.npm"
    r"js|npmjs\.org|deb\.debian|crates\.io|static\.rust|maven\.org)"
)
_THIS_MACHINE = re.compile(r"(/work/|/root/|\.\./shared|/home/[a-z])")

LONGEST_SUBJECT = 72
_PROSE = (".py", ".md", ".js", ".css", ".html", ".sh")
_NOT_OUR_PROSE = (
    "tools/tidy.py",
    "tests/unit/tools/test_tidy.py",
    "tests/browser/vendor/",
    "tests/data/",
    "tests/golden/data/",
    "src/kswifi/pwa/static/vendor/",
    "src/kswifi/pwa/minified/",
)
_GAP = r"(?:\s+(?:(?:#|//|\*)\s*)?|_)"  # a space, an underscore, or a line break within a comment
_RIDDLES = re.compile(
    r"(?<![a-z])(?!tell_of_(?:sign_in_lock|the_end)\")("  # kinds of stored outbox entries keep their names
    r"whoever|whomever|nowhere|beside"
    r"|(?:another|somebody|someone|nobody|anybody|everybody)'?s(?![a-z])"
    rf"|from{_GAP}elsewhere"
    rf"|(?:is|are|was|were|be|been|being){_GAP}told"
    rf"|(?:told|tells?){_GAP}of"
    rf"|by{_GAP}(?:its|their|the{_GAP}[a-z]+'s){_GAP}word"
    rf"|what{_GAP}is{_GAP}known{_GAP}of"
    rf"|whose{_GAP}time{_GAP}has{_GAP}come"
    r")(?![a-z])",
    re.IGNORECASE,
)
NOT_YET: tuple[str, ...] = ()
"""Folders and files that still hold riddle words. Remove a row once its prose is rewritten; never add one."""

Rule = Callable[[str, str], Iterator[str]]


def no_long_files(name: str, text: str) -> Iterator[str]:
    """A Python file has one subject and at most LONGEST_FILE_LINES lines."""
    lines = text.count("\n")
    if name.endswith(".py") and lines > LONGEST_FILE_LINES:
        yield f"{lines} lines; split it by subject ({LONGEST_FILE_LINES} at most)"


def no_long_functions(name: str, text: str) -> Iterator[str]:
    """A function of the product fits a screen, its docstring included. Migrations stay as they are."""
    if name.startswith("src/") and name.endswith(".py") and "/migrations/versions/" not in name:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION_LINES:
                    yield f"line {node.lineno}: {node.name} has {lines} lines ({LONGEST_FUNCTION_LINES} at most)"


def no_tuple_splats(name: str, text: str) -> Iterator[str]:
    """``f(*(a, b))`` hides what each position means: write keyword arguments."""
    if name.startswith("src/") and name.endswith(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Starred) and isinstance(node.value, ast.Tuple | ast.List):
                yield f"line {node.lineno}: a tuple is unpacked in place; name the arguments instead"


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
    """There are four kinds of session in this project (GLOSSARY.md): a name says which one it means."""
    if name.startswith(("src/", "tests/")) and name.endswith(".py") and name != "tests/unit/tools/test_tidy.py":
        for number, line in enumerate(text.splitlines(), 1):
            if _BARE_SESSION.search(line):
                yield f"line {number}: a bare 'session': say which (GLOSSARY.md): {line.strip()[:60]}"


def no_registry_hosts(name: str, text: str) -> Iterator[str]:
    """No file names a package registry: the user's own client configuration chooses it."""
    if name != "tools/tidy.py":
        for match in _REGISTRY.finditer(text):
            yield f"names the registry host {match.group()}"


def no_machine_paths(name: str, text: str) -> Iterator[str]:
    """No file names a path that exists on one developer's machine only."""
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


def no_riddles(name: str, text: str) -> Iterator[str]:
    """Plain words only: these make a sentence that has to be read twice.

    The file's own name counts too. "besides" is allowed.
    """
    if not name.endswith(_PROSE) or name.startswith((*_NOT_OUR_PROSE, *NOT_YET)):
        return
    if found := _RIDDLES.search(name):
        yield f"the file's name holds a riddle word: {found.group()}"
    for match in _RIDDLES.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield f"line {line}: say it plainly, without '{' '.join(match.group().split())}'"


RULES: tuple[Rule, ...] = (
    no_long_files,
    no_long_functions,
    no_tuple_splats,
    no_long_lines_of_script,
    nothing_unfinished,
    no_bare_session,
    no_registry_hosts,
    no_machine_paths,
    one_final_newline,
    no_riddles,
)


def long_subject(subject: str, parents: int) -> Iterator[str]:
    """A commit's subject fits one line of `git log`; Git itself writes the subjects of merge commits.

    Args:
        subject: the first line of the commit message.
        parents: how many parents the commit has; more than one makes it a merge.
    """
    if parents < 2 and len(subject) > LONGEST_SUBJECT:
        yield f"commit subject of {len(subject)} characters ({LONGEST_SUBJECT} at most): {subject}"


def head_commit() -> tuple[str, int]:
    """Return the subject of HEAD, and how many parents it has."""
    shown = subprocess.run(
        ["git", "log", "-1", "--format=%P%n%s"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    parents, _, subject = shown.stdout.partition("\n")
    return subject.rstrip("\n"), len(parents.split())


def tracked_files() -> list[str]:
    """Return the names of the files that Git tracks, and of new ones that it does not ignore."""
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
    yield from long_subject(*head_commit())
    for name in tracked_files():
        if Path(name).suffix in _BINARY:
            continue
        if Path(name).name == "uv.lock":
            yield f"{name}: holds registry hosts; the lock is requirements/*.txt"
        text = (ROOT / name).read_text(encoding="utf-8")
        for rule in RULES:
            yield from (f"{name}: {complaint}" for complaint in rule(name, text))


def main() -> int:
    """Print the complaints; return 1 if there are any, else 0."""
    found = list(complaints())
    for complaint in found:
        print(complaint)
    print(f"tidy: {len(found)} complaints" if found else "tidy: all well")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

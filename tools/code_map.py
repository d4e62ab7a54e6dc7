"""Write docs/code-map.md: every folder and module of the product with the first sentence of its docstring.

``python -m tools.code_map`` writes the page. A test compares the page with the code.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src" / "kswifi"
PAGE: Final = ROOT / "docs" / "code-map.md"
_HEADING: Final = """# Code map

Every module and the first line of its docstring. `python -m tools.code_map` writes this page from the code;
do not edit it. [ARCHITECTURE](../ARCHITECTURE.md) says how the folders depend on each other.
"""


def summary(path: Path) -> str:
    """Return the first line of a module's docstring; empty if it has none."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n", 1)[0]


def _folders() -> Iterator[Path]:
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")}):
        if "versions" not in folder.parts:  # the name of a migration's file says what it does
            yield folder


def page() -> str:
    """Return the page for the present code."""
    parts = [_HEADING]
    for folder in _folders():
        name = folder.relative_to(PACKAGE).as_posix()
        parts.append(f"\n## {'kswifi' if name == '.' else name}\n")
        init = folder / "__init__.py"
        if init.is_file() and summary(init):
            parts.append(f"{summary(init)}\n")
        modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
        if modules:
            parts.append("| module | what it does |\n|---|---|")
            parts.extend(f"| `{path.stem}` | {summary(path).replace('|', chr(92) + '|')} |" for path in modules)
            parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

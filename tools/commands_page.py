"""Write docs/commands.md: every command with its options, from the command line itself.

``python -m tools.commands_page`` writes the page. A test compares the page with the code.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from kswifi.cli.main import app

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "commands.md"
_HEADING: Final = """# Commands

`.venv/bin/kswifi COMMAND --help` says the same. Settings come from the environment ([settings](settings.md)).
`python -m tools.commands_page` writes this page from the code; do not edit it.
"""


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child in sorted(children):
        yield from _commands(children[child], f"{name} {child}")


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        help_text = " ".join((getattr(parameter, "help", None) or "").split())
        if parameter.name == "help":
            continue
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        if parameter.param_type_name == "argument":
            names = f"`{(parameter.name or '').upper()}`"
        yield f"- {names}: {help_text}" if help_text else f"- {names}"


def page() -> str:
    """Return the page for the present code."""
    parts = [_HEADING]
    for name, command in _commands(typer.main.get_command(app), "kswifi"):
        words = " ".join((command.help or "").replace("\f", " ").split())
        parts.append(f"\n## `{name}`\n\n{words}\n")
        options = list(_options(command))
        if options:
            parts.extend([*options, ""])
    return "\n".join(parts).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

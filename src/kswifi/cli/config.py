"""`kswifi config` and `kswifi doctor`: the settings in use, and the state of the installation."""

import os
from typing import Annotated

import typer

from kswifi.cli.running import run_async


def config(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table instead.")] = False,
) -> None:
    """Show each setting: value (secrets hidden), source, default and unit. Refuse an invalid setting by name."""
    from kswifi.settings.listing import as_lines, as_markdown, list_settings

    listed = list_settings(os.environ)
    print((as_markdown if markdown else as_lines)(listed), end="")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
) -> None:
    """Check the installation on one screen. Exit status: 0 all is well, 1 warnings, 2 something failed."""
    from kswifi.doctor import report
    from kswifi.doctor.model import exit_status
    from kswifi.kernel.clock import SystemClock
    from kswifi.settings import load_settings

    findings = run_async(report.examine(load_settings(), SystemClock()))
    print(report.as_json(findings) + "\n" if as_json else report.as_lines(findings), end="")
    raise SystemExit(exit_status(findings))

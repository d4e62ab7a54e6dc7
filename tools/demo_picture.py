"""Draws docs/demo.svg from a demo that really runs: `python -m tools.demo_picture`."""

import re
import sys
from pathlib import Path

from rich.console import Console

from kswifi.cli.demo import run_demo

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "demo.svg"


def main() -> int:
    """Run the demo and keep what it said."""
    console = Console(record=True, width=104, highlight=False)
    status = run_demo("free-1gb", as_json=False, console=console)
    if status == 0:
        drawn = console.export_svg(title="make demo")
        # Rich's fonts come from elsewhere; a reader of ours asks nobody else for anything.
        PICTURE.write_text(re.sub(r"@font-face\s*{.*?}\s*", "", drawn, flags=re.DOTALL).rstrip() + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

"""Run the demo and draw its output as docs/demo.svg: `python -m tools.demo_picture`."""

import re
import sys
from pathlib import Path

from rich.console import Console

from kswifi.cli.demo import run_demo

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "demo.svg"


def main() -> int:
    """Run the demo and write its output as a picture; return the demo's exit status."""
    console = Console(record=True, width=104, highlight=False)
    status = run_demo("free-1gb", as_json=False, console=console)
    if status == 0:
        drawn = console.export_svg(title="make demo")
        # Rich's SVG loads fonts from another site. Remove them, so that a reader's browser contacts no third party.
        PICTURE.write_text(re.sub(r"@font-face\s*{.*?}\s*", "", drawn, flags=re.DOTALL).rstrip() + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

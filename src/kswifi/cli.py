"""The command line."""


def main() -> None:
    """Run one command."""
    raise SystemExit("not yet")

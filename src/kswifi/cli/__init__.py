"""The command line: each command parses its options and calls the part that does the work."""

from kswifi.cli.main import main

__all__ = ["main"]

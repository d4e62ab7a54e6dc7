"""The command line: thin; every command hands over to a part that does the work."""

from kswifi.cli.main import main

__all__ = ["main"]

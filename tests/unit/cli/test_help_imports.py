"""What the help and the start of the server leave to the work that needs it."""

import json
import subprocess
import sys

UNNEEDED = (
    "asyncio",
    "cryptography",
    "fastapi",
    "logging",
    "msgspec",
    "sqlalchemy",
    "ssl",
    "sqlite3",
    "structlog",
    "kswifi.bootstrap",
    "kswifi.database",
    "kswifi.ledger",
    "kswifi.settings",
)
"""Each of them costs more time than one command's module; together they cost several times the whole help."""

_HELP = """
import json, sys
from kswifi.cli import main
sys.argv = ["kswifi", "--help"]
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""


def test_that_the_help_imports_nothing_that_only_commands_need() -> None:
    asked = subprocess.run([sys.executable, "-c", _HELP], check=True, capture_output=True, text=True)
    imported = set(json.loads(asked.stdout.splitlines()[-1]))
    assert "kswifi.cli.bench" in imported
    assert imported.isdisjoint(UNNEEDED), imported.intersection(UNNEEDED)


def test_that_the_server_imports_no_library_of_rare_work() -> None:
    code = "import json, sys, kswifi.bootstrap.server; print(json.dumps(sorted(sys.modules)))"
    asked = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {"alembic", "webauthn"}.isdisjoint(json.loads(asked.stdout))

"""The output of commands on terminals whose encoding lacks a character."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = "₦800 to Ọlá — octet \udcff"
PRINT = f"""
import sys
from kswifi.cli.output import write_any_text
write_any_text()
print({WORDS!a})
print({WORDS!a}, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("encoding", "octets"),
    [
        ("ascii", b"NGN 800 to ?l? ? octet \xff"),
        ("ascii:strict", b"NGN 800 to ?l? ? octet \xff"),
        ("ascii:surrogateescape", b"NGN 800 to ?l? ? octet \xff"),
        ("latin-1", b"NGN 800 to ?l\xe1 ? octet \xff"),
        ("cp1252", b"NGN 800 to ?l\xe1 \x97 octet \xff"),
        ("utf-8", "₦800 to Ọlá — octet ".encode() + b"\xff"),
    ],
)
def test_any_text_can_be_printed_in_any_encoding(encoding: str, octets: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (octets + b"\n", octets + b"\n")


def test_the_plan_is_printed_in_ascii(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KSWIFI_")}
    done = subprocess.run(
        [sys.executable, "-m", "kswifi", "plan", "--users", "100", "--free-gb", "1", "--cost-per-gb", "100"],
        env={**environment, "KSWIFI_DATA_DIR": str(tmp_path / "var"), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"NGN " in done.stdout

"""Vendored libraries are the files that their tables list, each with its licence."""

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("folder", ["src/kswifi/pwa/static/vendor", "tests/browser/vendor"])
def test_vendored_files_are_as_recorded_with_their_licences(folder: str) -> None:
    table = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|.*`([^`]+\.LICENSE)`.*`([0-9a-f]{64})` \|$", table, re.MULTILINE)
    files = sorted(path.name for path in (ROOT / folder).glob("*.js"))
    assert sorted(name for name, _, _ in rows) == files
    for name, licence, digest in rows:
        assert hashlib.sha256((ROOT / folder / name).read_bytes()).hexdigest() == digest, name
        assert (ROOT / folder / licence).stat().st_size > 500

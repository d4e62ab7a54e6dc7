"""Owner-only files: written atomically, and never into a file or link that another user has put there."""

import os
from pathlib import Path

from kswifi.kernel.files import write_owner_only


def test_a_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    write_owner_only(tmp_path / "keys.json", b"secret")
    assert (tmp_path / "keys.json").read_bytes() == b"secret"
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_an_existing_partial_file_or_link_gets_no_secret(tmp_path: Path) -> None:
    """In a folder that all users can write, the partial name may already be a link to a file open to others."""
    open_file = tmp_path / "open"
    open_file.write_bytes(b"")
    open_file.chmod(0o666)
    partial = tmp_path / ".keys.json.partial"
    os.link(open_file, partial)
    write_owner_only(tmp_path / "keys.json", b"secret")
    partial.symlink_to(open_file)
    write_owner_only(tmp_path / "keys.json", b"newer secret")
    assert open_file.read_bytes() == b""
    assert (tmp_path / "keys.json").read_bytes() == b"newer secret"
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600

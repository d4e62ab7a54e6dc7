"""The data directory: a lost part is said, a second server is refused, a backup brings it all back."""

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from kswifi.backup import BackupError, backup, restore
from kswifi.installation import (
    Installation,
    InstallationBusyError,
    InstallationDamagedError,
)
from kswifi.kernel.files import write_owner_only


def whole_installation(data_dir: Path) -> Installation:
    installation = Installation(data_dir).open()
    write_owner_only(installation.session_signing_key, b"signing")
    write_owner_only(installation.subscriber_key, b"subscriber")
    installation.pki_dir.mkdir()
    write_owner_only(installation.pki_dir / "CERT_CI.pem", b"issuer")
    for part in (installation.control_database, installation.ledger_journal):
        with sqlite3.connect(part) as database:
            database.execute("CREATE TABLE kept (value TEXT)")
            database.execute("INSERT INTO kept VALUES (?)", (part.name,))
        database.close()
    return installation


def test_a_fresh_directory_opens_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "var").open()
    assert stat.S_IMODE(installation.keys_dir.stat().st_mode) == 0o700
    write_owner_only(installation.subscriber_key, b"key")
    assert stat.S_IMODE(installation.subscriber_key.stat().st_mode) == 0o600
    installation.close()


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_lost_part_is_named_and_nothing_is_made_anew(tmp_path: Path, lost: int) -> None:
    installation = whole_installation(tmp_path)
    installation.close()
    part = installation.parts_in_order[lost]
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    with pytest.raises(InstallationDamagedError, match=part.name):
        Installation(tmp_path).open().close()
    assert not part.exists()


def test_a_first_start_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    installation = Installation(tmp_path).open()
    write_owner_only(installation.session_signing_key, b"signing")
    installation.close()
    again = Installation(tmp_path).open()
    assert again.read_or_make(again.session_signing_key, lambda: b"other") == b"signing"
    again.close()


def test_certificates_may_be_there_before_everything_else(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.pki_dir.mkdir()
    write_owner_only(installation.pki_dir / "CERT_CI.pem", b"issuer")
    installation.open().close()


def test_a_second_server_is_refused_until_the_first_has_stopped(tmp_path: Path) -> None:
    first = Installation(tmp_path).open()
    with pytest.raises(InstallationBusyError):
        Installation(tmp_path).open()
    first.close()
    Installation(tmp_path).open().close()


def test_a_backup_brings_everything_back(tmp_path: Path) -> None:
    installation = whole_installation(tmp_path / "var")
    card = installation.lab_dir / "phone" / "card"
    card.mkdir(parents=True)
    write_owner_only(card / "state", b"keys of the card")
    archive = tmp_path / "backup.tar.gz"
    assert backup(installation.data_dir, archive) == archive.stat().st_size
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600

    restore(archive, tmp_path / "new")
    restored = Installation(tmp_path / "new").open()
    assert restored.session_signing_key.read_bytes() == b"signing"
    assert (restored.lab_dir / "phone" / "card" / "state").read_bytes() == b"keys of the card"
    with sqlite3.connect(restored.ledger_journal) as database:
        assert database.execute("SELECT value FROM kept").fetchone() == ("ledger.db",)
    database.close()
    assert stat.S_IMODE(restored.subscriber_key.stat().st_mode) == 0o600
    restored.close()
    installation.close()


def test_restore_refuses_a_directory_in_use_and_a_damaged_backup(tmp_path: Path) -> None:
    installation = whole_installation(tmp_path / "var")
    installation.close()
    archive = tmp_path / "backup.tar.gz"
    backup(installation.data_dir, archive)
    with pytest.raises(BackupError, match="not empty"):
        restore(archive, tmp_path / "var")
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(BackupError, match=r"damaged|missing"):
        restore(archive, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_backup_refuses_what_is_not_whole_and_never_overwrites(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no whole installation"):
        backup(tmp_path / "nothing", tmp_path / "a")
    installation = whole_installation(tmp_path / "var")
    installation.close()
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(BackupError, match="exists already"):
        backup(installation.data_dir, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"mine"

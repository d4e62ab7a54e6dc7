"""The data directory: a lost part is said, a second server is refused, a backup brings it all back."""

import errno
import os
import shutil
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from kswifi.bootstrap.parts.charging import is_unsigned32
from kswifi.bootstrap.parts.payments import read_sandbox_key
from kswifi.data_directory import restore as restoring
from kswifi.data_directory.backup import Backup, backup
from kswifi.data_directory.backup_reader import BACKUP_REFUSED
from kswifi.data_directory.layout import (
    INSTALLATION_BUSY,
    INSTALLATION_DAMAGED,
    INSTALLATION_FILE_DAMAGED,
    Installation,
)
from kswifi.kernel.files import write_owner_only
from kswifi.ledger.effects import WalletOpened
from kswifi.ledger.storage.journal import effects_of, next_record
from kswifi.ledger.storage.sqlite_journal import SqliteJournal, SqliteJournalReader
from tests.support.directories import ODD_DIRECTORIES
from tests.support.refusals import refused


def whole_installation(data_dir: Path) -> Installation:
    installation = Installation(data_dir).open()
    write_owner_only(installation.session_signing_key, b"signing")
    write_owner_only(installation.subscriber_key, b"subscriber")
    installation.pki_dir.mkdir()
    write_owner_only(installation.pki_dir / "CERT_CI.pem", b"issuer")
    with closing(sqlite3.connect(installation.control_database)) as database, database:
        database.execute("CREATE TABLE kept (value TEXT)")
        database.execute("INSERT INTO kept VALUES ('control.db')")
    journal = SqliteJournal(installation.ledger_dir)
    journal.append(next_record(journal.open(), 1_795_000_000, [WalletOpened("kept", "621990000000001", 1)]))
    journal.close()
    return installation


def restore(archive: Path, data_dir: Path) -> None:
    restoring.restore(archive, data_dir, lambda _contents: True)


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
    with refused(INSTALLATION_DAMAGED, match=part.name):
        Installation(tmp_path).open().close()
    assert not part.exists()


def test_a_first_start_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    installation = Installation(tmp_path).open()
    write_owner_only(installation.session_signing_key, b"signing")
    installation.close()
    again = Installation(tmp_path).open()
    assert again.read_or_make(again.session_signing_key, lambda: b"other") == b"signing"
    again.close()


def test_an_installation_without_profiles_of_its_own_needs_no_certificates(tmp_path: Path) -> None:
    """In resold mode no certificates are made: it starts again, and its backup is whole."""
    installation = whole_installation(tmp_path / "var")
    installation.note_pki_not_needed()  # there are certificates: they stay a part that can be lost
    assert installation.pki_dir in installation.parts_in_order
    shutil.rmtree(installation.pki_dir)
    installation.note_pki_not_needed()
    installation.close()
    Installation(tmp_path / "var").open().close()
    archive = tmp_path / "backup.tar.gz"
    backup(tmp_path / "var", archive)
    restore(archive, tmp_path / "again")
    again = Installation(tmp_path / "again").open()
    assert not again.pki_dir.exists()
    again.note_pki_made()
    again.close()
    with refused(INSTALLATION_DAMAGED, match="pki"):
        Installation(tmp_path / "again").open()


def test_certificates_may_be_there_before_everything_else(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.pki_dir.mkdir()
    write_owner_only(installation.pki_dir / "CERT_CI.pem", b"issuer")
    installation.open().close()


def test_a_second_server_is_refused_until_the_first_has_stopped(tmp_path: Path) -> None:
    first = Installation(tmp_path).open()
    with refused(INSTALLATION_BUSY):
        Installation(tmp_path).open()
    first.close()
    Installation(tmp_path).open().close()


def test_a_backup_brings_everything_back(tmp_path: Path) -> None:
    installation = whole_installation(tmp_path / "var")
    card = installation.lab_dir / "phone" / "card"
    card.mkdir(parents=True)
    write_owner_only(card / "state", b"keys of the card")
    installation.read_or_make(installation.origin_state_id, lambda: b"1795000000")
    archive = tmp_path / "backup.tar.gz"
    assert backup(installation.data_dir, archive) == Backup(archive.stat().st_size, (), ())
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600

    restore(archive, tmp_path / "new")
    restored = Installation(tmp_path / "new").open()
    assert restored.session_signing_key.read_bytes() == b"signing"
    assert (restored.lab_dir / "phone" / "card" / "state").read_bytes() == b"keys of the card"
    journal = SqliteJournalReader(restored.ledger_dir)
    assert [effects_of(it) for it in journal.read(0, 9)] == [(WalletOpened("kept", "621990000000001", 1),)]
    journal.close()
    assert stat.S_IMODE(restored.subscriber_key.stat().st_mode) == 0o600
    assert not restored.origin_state_id.exists()  # it rises: what came after the backup is lost
    restored.close()
    installation.close()


def test_restore_refuses_a_directory_in_use_and_a_damaged_backup(tmp_path: Path) -> None:
    installation = whole_installation(tmp_path / "var")
    installation.close()
    archive = tmp_path / "backup.tar.gz"
    backup(installation.data_dir, archive)
    with refused(BACKUP_REFUSED, match="not empty"):
        restore(archive, tmp_path / "var")
    archive.write_bytes(archive.read_bytes()[:-200])
    with refused(BACKUP_REFUSED, match=r"damaged|missing"):
        restore(archive, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def hostile(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, "../outside", 0o4777
    return member


@pytest.mark.parametrize(
    "member",
    [
        hostile("../outside"),
        hostile("keys/../../outside"),
        hostile("../outside", tarfile.DIRTYPE),
        hostile("link", tarfile.SYMTYPE),
        hostile("link", tarfile.LNKTYPE),
        hostile("pipe", tarfile.FIFOTYPE),
        hostile("disk", tarfile.BLKTYPE),
    ],
    ids=lambda member: f"{member.name} {member.type.decode()}",
)
def test_nothing_is_written_outside_and_nothing_but_files_and_folders(
    tmp_path: Path, member: tarfile.TarInfo
) -> None:
    installation = whole_installation(tmp_path / "var")
    installation.close()
    archive = tmp_path / "backup.tar"
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(installation.data_dir.iterdir()):
            tar.add(path, path.name)
        tar.addfile(member)
    before = sorted(tmp_path.iterdir())
    with refused(BACKUP_REFUSED, match="it holds"):
        restore(archive, tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before


def test_an_absolute_name_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(hostile(str(tmp_path / "outside")))
    with refused(BACKUP_REFUSED, match="it holds"):
        restore(archive, tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == [archive]


def test_backup_refuses_what_is_not_whole_and_never_overwrites(tmp_path: Path) -> None:
    with refused(BACKUP_REFUSED, match="no whole installation"):
        backup(tmp_path / "nothing", tmp_path / "a")
    installation = whole_installation(tmp_path / "var")
    installation.close()
    (tmp_path / "a").write_bytes(b"mine")
    with refused(BACKUP_REFUSED, match="exists already"):
        backup(installation.data_dir, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"mine"


def test_a_backup_that_failed_leaves_nothing_and_the_next_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = whole_installation(tmp_path / "var")
    installation.close()
    honest, archive = tarfile.TarFile.add, tmp_path / "out" / "a"
    archive.parent.mkdir()

    def full(self: tarfile.TarFile, name: Path, *rest: object, **more: object) -> None:
        if name == installation.subscriber_key:
            raise OSError(errno.ENOSPC, "No space left on device")
        honest(self, name, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "add", full)
        with pytest.raises(OSError, match="No space"):
            backup(installation.data_dir, archive)
    assert list(archive.parent.iterdir()) == []
    backup(installation.data_dir, archive)
    assert list(archive.parent.iterdir()) == [archive]
    assert not list(installation.data_dir.glob(".backup-*"))


def test_a_file_that_vanishes_during_the_backup_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = whole_installation(tmp_path / "var")
    count = installation.lab_dir / "gateway" / "b1.count"
    count.parent.mkdir(parents=True)
    write_owner_only(count, b"settled soon")
    honest = tarfile.TarFile.add

    def settle_first(self: tarfile.TarFile, name: Path, *rest: object, **more: object) -> None:
        if name == count:
            count.unlink()
        honest(self, name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(tarfile.TarFile, "add", settle_first)
    backup(installation.data_dir, tmp_path / "a")
    installation.close()
    restore(tmp_path / "a", tmp_path / "new")
    assert not (tmp_path / "new" / count.relative_to(installation.data_dir)).exists()
    Installation(tmp_path / "new").open().close()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    installation = whole_installation(tmp_path / "var")
    installation.close()
    archive, honest_link, honest_add = tmp_path / "out" / "a", os.link, tarfile.TarFile.add
    archive.parent.mkdir()

    def link(source: Path, target: Path) -> None:
        if not links:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        honest_link(source, target)

    def add(self: tarfile.TarFile, *rest: object, **more: object) -> None:
        archive.write_bytes(b"mine")
        honest_add(self, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", link)
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "add", add)
        with refused(BACKUP_REFUSED, match="exists already"):
            backup(installation.data_dir, archive)
    assert [(path.name, path.read_bytes()) for path in archive.parent.iterdir()] == [("a", b"mine")]
    archive.unlink()
    backup(installation.data_dir, archive)
    assert (list(archive.parent.iterdir()), stat.S_IMODE(archive.stat().st_mode)) == ([archive], 0o600)
    restore(archive, tmp_path / "new")


def test_a_backup_goes_elsewhere_than_what_it_saves(tmp_path: Path) -> None:
    installation = whole_installation(tmp_path / "var")
    installation.close()
    (tmp_path / "short").symlink_to(installation.data_dir)
    for target in (installation.data_dir / "a", tmp_path / "short" / "a", installation.lab_dir / "a"):
        with refused(BACKUP_REFUSED, match="would lie in the data directory"):
            backup(installation.data_dir, target)
        assert not target.exists()
    with refused(BACKUP_REFUSED, match="no folder"):
        backup(installation.data_dir, tmp_path / "absent" / "a")


def test_what_is_restored_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = whole_installation(tmp_path / "var")
    installation.close()
    backup(installation.data_dir, tmp_path / "a")
    honest, before, data_dir = os.fsync, set[int](), tmp_path / "new"

    def fsync(handle: int) -> None:
        if not data_dir.exists():
            before.add(os.fstat(handle).st_ino)
        honest(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    restore(tmp_path / "a", data_dir)
    assert {path.stat().st_ino for path in (data_dir, *data_dir.rglob("*"))} <= before


@pytest.mark.parametrize(
    "damage", [b"", b"17950000\xff0", b"x", b"-1", b"1\0", "\u0661".encode(), b"4294967296", b"9" * 5000]
)
def test_a_damaged_origin_state_id_is_refused_and_left(tmp_path: Path, damage: bytes) -> None:
    installation = Installation(tmp_path)
    installation.origin_state_id.write_bytes(damage)
    with refused(INSTALLATION_FILE_DAMAGED, match="origin-state-id is damaged .* Move it away"):
        installation.read_or_make_text(installation.origin_state_id, lambda: "1", is_unsigned32)
    assert installation.origin_state_id.read_bytes() == damage


@pytest.mark.parametrize("sound", ["0", "1795000000", "4294967295\n"])
def test_a_sound_origin_state_id_is_read(tmp_path: Path, sound: str) -> None:
    installation = Installation(tmp_path)
    installation.origin_state_id.write_text(sound)
    read = installation.read_or_make_text(installation.origin_state_id, lambda: "1", is_unsigned32)
    assert read == sound.strip()


@pytest.mark.parametrize("damage", [b"", b"\xff" * 64, b"ab" * 31, b"z" * 64])
def test_a_damaged_sandbox_key_is_refused(tmp_path: Path, damage: bytes) -> None:
    installation = Installation(tmp_path)
    installation.keys_dir.mkdir()
    assert read_sandbox_key(installation) == read_sandbox_key(installation)
    installation.sandbox_key.write_bytes(damage)
    with refused(INSTALLATION_FILE_DAMAGED, match="sandbox-gateway.key is damaged"):
        read_sandbox_key(installation)


@pytest.mark.parametrize("name", ODD_DIRECTORIES)
def test_a_directory_is_backed_up_and_restored_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    whole_installation(tmp_path / name).close()
    backup(tmp_path / name, tmp_path / f"{name}.kswifi")
    restore(tmp_path / f"{name}.kswifi", tmp_path / f"{name} restored")
    assert {it.name for it in tmp_path.iterdir()} == {name, f"{name}.kswifi", f"{name} restored"}
    with closing(sqlite3.connect(tmp_path / f"{name} restored" / "control.db")) as database:
        assert database.execute("SELECT value FROM kept").fetchall() == [("control.db",)]

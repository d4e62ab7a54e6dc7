"""Damage is not carried over silently, by a backup, within one or by a restore; a restore says what it loses."""

import os
import shutil
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.backups import losses, next_steps
from kswifi.cli.main import app
from kswifi.data_directory import backup_manifest
from kswifi.data_directory.backup import backup
from kswifi.data_directory.backup_reader import BACKUP_REFUSED, check_backup
from kswifi.data_directory.layout import Installation
from kswifi.data_directory.restore import RESTORE_NOT_CONFIRMED, BackupContents, restore
from kswifi.kernel.errors import RefusedError
from kswifi.ledger.effects import WalletOpened
from kswifi.ledger.state import LedgerState
from kswifi.ledger.storage.journal import Head, next_record
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.settings import load_settings
from tests.support.refusals import refused
from tests.unit.data_directory.test_installation import whole_installation

MARK = b"M" * 60
WRITTEN_AT = 1_795_000_000
"""The instant of the ledger's last record in ``whole_installation``."""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    it = whole_installation(tmp_path / "var")
    it.close()
    journal = SqliteJournal(it.ledger_dir)
    head = journal.open()
    for number in range(20):
        record = next_record(head, WRITTEN_AT, [WalletOpened(f"w{number}", MARK.decode(), 1)])
        journal.append(record)
        head = Head(record.sequence, record.digest)
    journal.close()
    return it


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        octet = os.pread(file.fileno(), 1, place)[0]
        os.pwrite(file.fileno(), bytes([octet ^ 2]), place)


def damage_ledger(installation: Installation) -> None:
    flip(installation.ledger_journal, installation.ledger_journal.read_bytes().index(MARK))


def agreed(_contents: BackupContents) -> bool:
    return True


def tree(folder: Path) -> dict[str, bytes]:
    return {str(it.relative_to(folder)): it.read_bytes() for it in folder.rglob("*") if it.is_file()}


def test_a_damaged_ledger_is_not_backed_up_silently(installation: Installation, tmp_path: Path) -> None:
    damage_ledger(installation)
    with refused(BACKUP_REFUSED, match="its digest is wrong"):
        backup(installation.data_dir, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    made = backup(installation.data_dir, tmp_path / "a", damaged=True)
    assert "its digest is wrong" in made.damage[0]
    manifest = check_backup(tmp_path / "a")
    assert manifest is not None
    assert manifest.damage == made.damage
    with refused(BACKUP_REFUSED, match="its digest is wrong"):
        restore(tmp_path / "a", tmp_path / "new", agreed)
    assert not (tmp_path / "new").exists()
    assert restore(tmp_path / "a", tmp_path / "new", agreed, damaged=True).damage
    assert Installation(tmp_path / "new").ledger_journal.exists()


def test_a_damaged_control_database_is_not_backed_up_silently(installation: Installation, tmp_path: Path) -> None:
    with closing(sqlite3.connect(installation.control_database)) as database, database:
        database.execute("CREATE TABLE more (value TEXT)")
        database.executemany("INSERT INTO more VALUES (?)", [("v" * 500,)] * 100)
    octets = installation.control_database.read_bytes()
    installation.control_database.write_bytes(octets[:8192] + bytes(4096) + octets[12288:])
    with refused(BACKUP_REFUSED, match=r"control\.db"):
        backup(installation.data_dir, tmp_path / "a")


def test_a_damaged_snapshot_is_left_out_where_the_journal_holds_the_same(
    installation: Installation, tmp_path: Path
) -> None:
    snapshot = SnapshotStore(installation.ledger_dir).write(LedgerState(), Head())
    flip(snapshot, 10)
    assert backup(installation.data_dir, tmp_path / "a").left_out == (snapshot.name,)
    restore(tmp_path / "a", tmp_path / "new", agreed)
    assert SnapshotStore(Installation(tmp_path / "new").ledger_dir).paths() == []


@pytest.mark.parametrize("positions", [120, pytest.param(None, marks=pytest.mark.soak)], ids=["sample", "each"])
def test_a_flipped_bit_of_a_backup_is_found_or_harmless(
    installation: Installation, tmp_path: Path, positions: int | None
) -> None:
    archive, copy, new = tmp_path / "a", tmp_path / "b", tmp_path / "new"
    backup(installation.data_dir, archive)
    restore(archive, new, agreed)
    whole, found, harmless = tree(new), 0, list[int]()
    size = archive.stat().st_size
    for place in range(0, size, 1 if positions is None else max(1, size // positions)):
        shutil.rmtree(new, ignore_errors=True)
        shutil.copy(archive, copy)
        flip(copy, place)
        try:
            restore(copy, new, agreed)
        except RefusedError:
            found += 1
            assert not new.exists()
        else:
            harmless.append(place)
            assert tree(new) == whole, place
    print(f"{found} found, harmless: {harmless}")
    assert found > 10 * len(harmless)


def test_a_file_that_was_exchanged_in_a_backup_is_named(installation: Installation, tmp_path: Path) -> None:
    archive, altered = tmp_path / "a", tmp_path / "b"
    backup(installation.data_dir, archive)
    with tarfile.open(archive) as old, tarfile.open(altered, "w:gz") as new:
        for member in old:
            content = old.extractfile(member) if member.isreg() else None
            octets = None if content is None else content.read()
            if octets is not None and member.name == "keys/subscriber-keys.bin":
                octets = b"z" * member.size
            new.addfile(member, None if octets is None else BytesIO(octets))
    with refused(BACKUP_REFUSED, match="subscriber-keys.bin is not what was saved"):
        restore(altered, tmp_path / "new", agreed)


def test_a_backup_of_an_older_version_is_restored_and_says_that_it_has_no_digests(
    installation: Installation, tmp_path: Path
) -> None:
    archive, seen = tmp_path / "old", list[BackupContents]()
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(installation.data_dir.iterdir()):
            tar.add(path, path.name)

    def look(contents: BackupContents) -> bool:
        seen.append(contents)
        return True

    restore(archive, tmp_path / "new", look)
    assert (seen[0].made_at, seen[0].has_digests, seen[0].ledger_sequence) == (None, False, 21)
    assert "without digests" in losses(archive, seen[0], datetime.now(UTC))


def test_the_manifest_is_last_and_is_not_restored(installation: Installation, tmp_path: Path) -> None:
    backup(installation.data_dir, tmp_path / "a")
    with tarfile.open(tmp_path / "a") as tar:
        assert tar.getnames()[-1] == backup_manifest.NAME
    restore(tmp_path / "a", tmp_path / "new", agreed)
    assert not (tmp_path / "new" / backup_manifest.NAME).exists()
    assert not list((tmp_path / "new").rglob("*-wal"))


def test_a_restore_that_is_not_confirmed_leaves_nothing(installation: Installation, tmp_path: Path) -> None:
    backup(installation.data_dir, tmp_path / "a")
    with refused(RESTORE_NOT_CONFIRMED):
        restore(tmp_path / "a", tmp_path / "new", lambda _contents: False)
    assert sorted(it.name for it in tmp_path.iterdir()) == ["a", "var"]


def test_what_a_restore_loses_is_said_with_figures() -> None:
    made_at = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    contents = BackupContents(made_at, 4711, made_at - timedelta(minutes=2), True, ())
    words = losses(Path("it.tar.gz"), contents, made_at + timedelta(days=3, hours=12))
    assert "2026-11-20 03:00 UTC, 3.5 days ago" in words
    assert "4711 records, the last of 2026-11-20 02:58 UTC" in words
    for lost in ("given away again", "payments reconcile", "sessions and lines since then vanish"):
        assert lost in words


@pytest.mark.parametrize(
    ("environment", "wanted", "unwanted"),
    [
        ({}, ["`kswifi up`", "payments reconcile --from 2026-11-20"], ["systemctl", "5002"]),
        (
            {"KSWIFI_MODE": "own-core", "KSWIFI_IDENTIFIER_PROOF": "false", "KSWIFI_DATA_DIR": "/var/lib/kswifi"},
            ["systemctl start kswifi", "kswifi serve", "5002"],
            ["kswifi up", "reconcile"],
        ),
    ],
    ids=["embedded", "own-core"],
)
def test_the_next_steps_are_those_of_the_mode(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: list[str], unwanted: list[str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    contents = BackupContents(datetime(2026, 11, 20, tzinfo=UTC), 1, None, True, ())
    words = next_steps(load_settings(), contents)
    assert [it for it in wanted if it not in words] == []
    assert [it for it in unwanted if it in words] == []


def test_the_command_shows_first_and_restores_with_yes(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(installation.data_dir, tmp_path / "a")
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path / "new"))
    shown = CliRunner().invoke(app, ["restore", str(tmp_path / "a")])
    assert isinstance(shown.exception, RefusedError)
    assert shown.exception.refusal is RESTORE_NOT_CONFIRMED
    assert "given away again" in shown.output
    assert not (tmp_path / "new").exists()
    done = CliRunner().invoke(app, ["restore", str(tmp_path / "a"), "--yes"])
    assert done.exit_code == 0, done.output
    assert "restored into" in done.output
    assert (tmp_path / "new").exists()

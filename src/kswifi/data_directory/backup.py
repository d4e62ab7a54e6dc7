"""Back up the data directory, also while the server runs.

The order of the copies matters: control database, the ledger's snapshots and head, the ledger's journal, all other
files. The copied journal is therefore never older than the other copies. After a restore the projector catches up
with the journal, and the ledger answers repeated outbox entries by their command ids.

The copies are checked before they count as a backup: the digest of every record of the journal, the snapshots, and
the structure of both databases. ``control.db`` has no digests of its own: a changed octet within a value stays
unseen there (docs/backup.md).
"""

import contextlib
import errno
import os
import sqlite3
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kswifi.data_directory import backup_record
from kswifi.data_directory.backup_manifest import DigestingTar, Manifest
from kswifi.data_directory.backup_reader import BACKUP_REFUSED, check_backup, structure_of
from kswifi.data_directory.layout import Installation
from kswifi.kernel.errors import RefusedError
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE, synchronise
from kswifi.ledger.storage.integrity import (
    JournalCheck,
    acknowledged_of,
    check_journal,
    check_snapshots,
    missing_beginning,
)
from kswifi.ledger.storage.journal import Head

_NOT_COPIED: Final = {
    "lock",
    "log",
    "ledger",
    "control.db",
    "ballast",
    "clock",
    "clock-confirmed",
    backup_record.BACKUP,
    backup_record.COPY,
}


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made.

    Attributes:
        octets: its size.
        damage: damage of the data that it carries; empty unless it was asked for.
        left_out: damaged snapshots, which are not in it, because the journal has what they hold.
    """

    octets: int
    damage: tuple[str, ...]
    left_out: tuple[str, ...]


def backup(data_dir: Path, archive: Path, *, damaged: bool = False) -> Backup:
    """Write all data that must not be lost into one file that only its owner can read.

    The file is written under a temporary name in the same folder, read back and compared with the digests of what
    was written, and renamed once it is complete and on disk. A failed backup therefore never looks like a complete
    one, and does not block the next.

    Args:
        data_dir: the data directory.
        archive: the file to write.
        damaged: make it although the ledger or the control database is damaged; the backup then says so.

    Raises:
        BACKUP_REFUSED: there is nothing to save, the data is damaged, the file exists already, or it would lie in
            what it saves.
    """
    installation = Installation(data_dir)
    missing = [part.name for part in installation.parts_in_order if not part.exists()]
    if missing:
        raise BACKUP_REFUSED(f"{data_dir} holds no whole installation: {', '.join(missing)} missing")
    if archive.resolve().is_relative_to(data_dir.resolve()):
        raise BACKUP_REFUSED(f"{archive} would lie in the data directory that it saves: name a file elsewhere")
    if not archive.parent.is_dir():
        raise BACKUP_REFUSED(f"there is no folder {archive.parent}")
    if os.path.lexists(archive):
        raise _exists_already(archive)
    handle, name = tempfile.mkstemp(dir=archive.parent, prefix=f".{archive.name}.", suffix=".partial")
    partial, made_at = Path(name), datetime.now(UTC)
    try:
        with os.fdopen(handle, "wb") as file:
            with DigestingTar.open(fileobj=file, mode="w:gz") as tar:
                found = _add_everything(tar, installation, damaged=damaged)
                journal = found.journal
                tar.add_manifest(
                    Manifest(made_at, journal.end.sequence, journal.at, dict(tar.digests), found.damage)
                )
            file.flush()
            os.fsync(file.fileno())
        octets = partial.stat().st_size
        check_backup(partial)
        _give_name(partial, archive)
    finally:
        partial.unlink(missing_ok=True)
    synchronise(archive.parent)
    record = backup_record.BackupRecord(made_at, str(archive.resolve()), octets)
    backup_record.write_backup_record(data_dir, record)
    return Backup(octets, found.damage, found.left_out)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the checks of the copies found."""

    journal: JournalCheck
    damage: tuple[str, ...]
    left_out: tuple[str, ...]


def _add_everything(tar: DigestingTar, installation: Installation, *, damaged: bool) -> _Found:
    data_dir = installation.data_dir
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".backup-") as scratch:
        control = Path(scratch) / installation.control_database.name
        copy_database(installation.control_database, control)
        damage = [f"{control.name}: {it}" for it in structure_of(control)]
        _refuse_damage(damage, data_dir, damaged=damaged)
        tar.add(control, control.name)
        control.unlink()
        known = acknowledged_of(installation.ledger_dir)
        snapshots, left_out = _add_snapshots(tar, installation)
        copies = Path(scratch) / installation.ledger_dir.name
        copies.mkdir(mode=OWNER_ONLY_DIRECTORY)
        copy = copies / installation.ledger_journal.name
        copy_database(installation.ledger_journal, copy)
        journal = check_journal(copies, known)
        if isinstance(journal, str):
            words = journal.replace(str(copies), str(installation.ledger_dir))
            journal = JournalCheck(Head(), Head(), None, 0, (words,))
        damage += [*journal.damage, *missing_beginning(journal, snapshots)]
        _refuse_damage(damage, data_dir, damaged=damaged)
        tar.add(copy, str(installation.ledger_journal.relative_to(data_dir)))
    for path in copied_files(data_dir):
        # A gateway deletes a count file when its usage is settled; the ledger then has the usage.
        with contextlib.suppress(FileNotFoundError):
            tar.add(path, str(path.relative_to(data_dir)), recursive=False)
    return _Found(journal, tuple(damage), tuple(left_out))


def copied_files(data_dir: Path) -> list[Path]:
    """Return the files and folders that a backup holds in addition to the databases and the ledger's snapshots."""
    return [
        path
        for path in sorted(data_dir.rglob("*"))
        if _is_copied(path.relative_to(data_dir)) and (path.is_dir() or path.is_file())
    ]


def _add_snapshots(tar: DigestingTar, installation: Installation) -> tuple[list[Head], list[str]]:
    """Add the files of the ledger but its journal; return the heads of the snapshots, and which were left out."""
    sound, damaged = check_snapshots(installation.ledger_dir)
    journal_parts = (installation.ledger_journal.name, "-wal", "-shm")
    for path in sorted(installation.ledger_dir.iterdir()):
        if path.name.endswith(journal_parts) or path.name.startswith(".") or path.name in damaged:
            continue
        with contextlib.suppress(FileNotFoundError):  # a newer snapshot has replaced it
            tar.add(path, str(path.relative_to(installation.data_dir)))
    return sound, damaged


def _refuse_damage(damage: list[str], data_dir: Path, *, damaged: bool) -> None:
    if damage and not damaged:
        raise BACKUP_REFUSED(
            f"{data_dir} is damaged: {'; '.join(damage)}. No backup was made, so that no older, sound one is "
            "thrown away for it. Keep the older ones; `--damaged` makes one nevertheless, and it says that it is "
            "damaged",
            damage="; ".join(damage),
        )


def _give_name(partial: Path, archive: Path) -> None:
    """Rename the complete file without ever overwriting another."""
    try:
        os.link(partial, archive)
    except FileExistsError:
        raise _exists_already(archive) from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        # FAT file systems have no hard links: create an empty file with the name first, then replace it.
        try:
            os.close(os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY_FILE))
        except FileExistsError:
            raise _exists_already(archive) from None
        partial.replace(archive)


def _exists_already(archive: Path) -> RefusedError:
    return BACKUP_REFUSED(f"{archive} exists already: name another file")


def _is_copied(name: Path) -> bool:
    top = name.parts[0]
    return top not in _NOT_COPIED and not top.startswith(".") and not name.name.endswith(("-wal", "-shm"))


def copy_database(source: Path, copy: Path) -> None:
    """Copy a database in one consistent state, also while another process writes to it."""
    reading = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
    writing = sqlite3.connect(copy)
    try:
        reading.backup(writing)
    except sqlite3.Error as error:
        raise BACKUP_REFUSED(f"{source} cannot be copied: {error}") from error
    finally:
        writing.close()
        reading.close()

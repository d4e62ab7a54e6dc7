"""Restore a backup, after a person has seen what it loses."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kswifi.data_directory.backup_reader import BACKUP_REFUSED, structure_of, unpack
from kswifi.data_directory.layout import Installation
from kswifi.kernel.clock import from_unix_seconds
from kswifi.kernel.errors import Refusal
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, synchronise
from kswifi.ledger.storage.integrity import acknowledged_of, check_journal, check_snapshots, missing_beginning

RESTORE_NOT_CONFIRMED = Refusal("restore_not_confirmed", "A restore loses data, and was not confirmed.")


@dataclass(frozen=True, slots=True)
class BackupContents:
    """What a backup holds, as far as it matters for what a restore loses.

    Attributes:
        made_at: when it was made; None for a backup of an older version.
        ledger_sequence: the last record of its ledger.
        ledger_at: when that record was written; None for an empty or unreadable ledger.
        has_digests: whether every file in it was checked against a digest.
        damage: damage of the data in it, in words.
    """

    made_at: datetime | None
    ledger_sequence: int
    ledger_at: datetime | None
    has_digests: bool
    damage: tuple[str, ...]


def restore(
    archive: Path, data_dir: Path, confirmed: Callable[[BackupContents], bool], *, damaged: bool = False
) -> BackupContents:
    """Restore a backup into a data directory that holds no installation.

    All files are first unpacked and checked in a temporary folder next to it, so a damaged or unconfirmed backup
    leaves nothing half-done.

    Args:
        archive: the backup.
        data_dir: where it goes.
        confirmed: called with what the backup holds; returns whether to go on.
        damaged: restore it although the ledger or the control database in it is damaged.

    Raises:
        BACKUP_REFUSED: the directory is in use or not empty, or the backup or the data in it is damaged.
        RESTORE_NOT_CONFIRMED: ``confirmed`` returned False.
    """
    require_empty(data_dir)
    with restore_scratch(data_dir) as scratch:
        unpacked = scratch / "data"
        unpacked.mkdir(mode=OWNER_ONLY_DIRECTORY)
        contents = _unpacked(archive, unpacked)
        if contents.damage and not damaged:
            raise BACKUP_REFUSED(
                f"the data in {archive} is damaged: {'; '.join(contents.damage)}. Take an older backup; "
                "`--damaged` restores this one nevertheless",
                damage="; ".join(contents.damage),
            )
        if not confirmed(contents):
            raise RESTORE_NOT_CONFIRMED("nothing was restored: add --yes to restore it")
        put_in_place(unpacked, data_dir)
    return contents


def require_empty(data_dir: Path) -> None:
    """Refuse a data directory that something is in.

    Raises:
        BACKUP_REFUSED: it is not empty.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise BACKUP_REFUSED(
            f"{data_dir} is not empty: move it away first, or set KSWIFI_DATA_DIR to another folder",
            data_dir=str(data_dir),
        )


@contextmanager
def restore_scratch(data_dir: Path) -> Iterator[Path]:
    """Give a folder on the file system of the data directory, and delete it at the end.

    It lies next to the data directory, or in it where this user may not write next to it, as in /var/lib.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    place = data_dir.parent if os.access(data_dir.parent, os.W_OK) else data_dir
    with tempfile.TemporaryDirectory(dir=place, prefix=".restore-") as scratch:
        yield Path(scratch)


def put_in_place(unpacked: Path, data_dir: Path) -> None:
    """Bring a data directory that was restored and checked to its place, on disk."""
    # The state after the backup is lost. A new, higher Origin-State-Id at the next start tells the peers that
    # their earlier sessions are gone (RFC 6733, 8.16).
    Installation(unpacked).origin_state_id.unlink(missing_ok=True)
    for path in (*unpacked.rglob("*"), unpacked):
        synchronise(path)
    if unpacked.is_relative_to(data_dir):
        _move_up(unpacked, data_dir)
        return
    if data_dir.exists():
        data_dir.rmdir()
    unpacked.rename(data_dir)
    synchronise(data_dir.parent)


def _move_up(unpacked: Path, data_dir: Path) -> None:
    """Move all entries into the data directory: the ledger first and the keys last.

    If the process dies between them, the server finds a ledger without keys and refuses to start.
    """
    order = (Installation(unpacked).ledger_dir.name, *sorted(path.name for path in unpacked.iterdir()))
    keys = Installation(unpacked).keys_dir.name
    for name in (*dict.fromkeys(it for it in order if it != keys), keys):
        (unpacked / name).rename(data_dir / name)
    synchronise(data_dir)


def _unpacked(archive: Path, into: Path) -> BackupContents:
    """Unpack a backup and check what it holds."""
    manifest = unpack(archive, into)
    installation = Installation(into)
    missing = [part.name for part in installation.parts_in_order if not part.exists()]
    if missing:
        raise BACKUP_REFUSED(f"{archive} holds no whole installation: {', '.join(missing)} missing")
    damage = [f"{installation.control_database.name}: {it}" for it in structure_of(installation.control_database)]
    journal = check_journal(installation.ledger_dir, acknowledged_of(installation.ledger_dir))
    sequence, at = 0, None
    if isinstance(journal, str):
        damage.append(journal)
    else:
        sound, damaged_snapshots = check_snapshots(installation.ledger_dir)
        damage += [*journal.damage, *missing_beginning(journal, sound)]
        damage += [f"the snapshot {it} is damaged" for it in damaged_snapshots]
        sequence = journal.end.sequence
        at = None if journal.at is None else from_unix_seconds(journal.at)
    for name in ("-wal", "-shm"):  # of the checks
        for path in into.rglob(f"*{name}"):
            path.unlink()
    made_at = None if manifest is None else manifest.made_at
    return BackupContents(made_at, sequence, at, manifest is not None, tuple(damage))

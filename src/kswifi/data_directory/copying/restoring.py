"""Restore a data directory from a continuous copy."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kswifi.data_directory.backup_reader import BACKUP_REFUSED, structure_of
from kswifi.data_directory.copying.layout import (
    COPY_REFUSED,
    Generation,
    Manifest,
    read_manifest,
    stored_frames,
    stored_records,
)
from kswifi.data_directory.layout import Installation
from kswifi.data_directory.restore import put_in_place, require_empty, restore_scratch
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE
from kswifi.ledger.storage.journal import base_of, follow
from kswifi.ledger.storage.snapshot import PREFIX as SNAPSHOT_PREFIX
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader


@dataclass(frozen=True, slots=True)
class RestoredCopy:
    """What was restored: everything that was durable at ``at``, and the journal up to ``sequence``."""

    at: datetime
    sequence: int


def restore_copy(copy: Path, data_dir: Path) -> RestoredCopy:
    """Restore the newest state of a copy into a data directory that holds no installation.

    Everything is built and checked in a temporary folder, so a damaged copy leaves nothing half-done.

    Raises:
        COPY_REFUSED: there is no copy, or it is damaged.
        BACKUP_REFUSED: the data directory is not empty, or a database is damaged.
        LedgerDamagedError: the journal's chain of digests is broken.
    """
    require_empty(data_dir)
    manifest = read_manifest(copy)
    if manifest is None:
        raise COPY_REFUSED(f"{copy} holds no copy made by `kswifi copy`")
    with restore_scratch(data_dir) as scratch:
        unpacked = scratch / "data"
        _build(Generation(copy, manifest.generation), manifest, unpacked)
        put_in_place(unpacked, data_dir)
    return RestoredCopy(manifest.at, manifest.sequence)


def _build(generation: Generation, manifest: Manifest, data_dir: Path) -> None:
    installation = Installation(data_dir)
    _copy_tree(generation.files, data_dir)
    _copy_tree(generation.snapshots, installation.ledger_dir)
    _copy_file(generation.control, installation.control_database)
    _apply_frames(generation, manifest, installation.control_database)
    _copy_file(generation.journal, installation.ledger_journal)
    _add_records(generation, manifest, installation.ledger_journal)
    for snapshot in installation.ledger_dir.glob(f"{SNAPSHOT_PREFIX}*"):
        # A snapshot that is ahead of the journal would say that the journal lost records.
        if int(snapshot.name.removeprefix(SNAPSHOT_PREFIX)) > manifest.sequence:
            snapshot.unlink()
    if missing := [part.name for part in installation.parts_in_order if not part.exists()]:
        raise COPY_REFUSED(f"{generation.folder} holds no whole installation: {', '.join(missing)} missing")
    if damage := structure_of(installation.control_database):
        raise BACKUP_REFUSED(f"control.db in {generation.folder} is damaged: {'; '.join(damage)}")
    with closing(SqliteJournalReader(installation.ledger_dir)) as reader:
        for _ in follow(reader, base_of(next(iter(reader.read(0, 1)), None))):
            pass


def _apply_frames(generation: Generation, manifest: Manifest, database: Path) -> None:
    with generation.frames.open("rb") as frames, database.open("r+b") as file:
        for frame in stored_frames(frames, manifest.frames_octets):
            file.seek((frame.page - 1) * len(frame.content))
            file.write(frame.content)
            if frame.database_pages:
                file.truncate(frame.database_pages * len(frame.content))


def _add_records(generation: Generation, manifest: Manifest, journal: Path) -> None:
    with generation.records.open("rb") as file, closing(sqlite3.connect(journal)) as database, database:
        database.executemany(
            "INSERT INTO record (sequence, payload, digest) VALUES (?, ?, ?)",
            (
                (record.sequence, record.payload, record.digest)
                for record in stored_records(file, manifest.records_octets)
            ),
        )


def _copy_tree(source: Path, target: Path) -> None:
    target.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(mode=OWNER_ONLY_DIRECTORY, exist_ok=True)
        elif not path.name.endswith(".partial"):
            _copy_file(path, place)


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(OWNER_ONLY_FILE)

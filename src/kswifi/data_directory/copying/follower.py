"""Copy a data directory continuously, while the server runs and without its help.

One round reads what was added to control.db and to the journal, appends it to the copy, and replaces the manifest.
control.db comes first and the journal second, so the journal in a copy is never older than what the control plane
has read of it. Where the write-ahead log was begun anew and frames of it may have been missed, a new generation
begins.
"""

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from kswifi.data_directory.backup import copied_files, copy_database
from kswifi.data_directory.copying.layout import (
    COPY_REFUSED,
    Generation,
    Manifest,
    pack_frame,
    pack_record,
    read_manifest,
    write_manifest,
)
from kswifi.data_directory.copying.wal import (
    Frame,
    WalPosition,
    ended_at,
    is_next_log,
    read_frames,
    read_header,
)
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import BUSY_SECONDS
from kswifi.database.sqlite import LOG_OCTETS_KEPT
from kswifi.kernel.clock import Clock
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE
from kswifi.ledger.storage.journal import READ_RECORDS
from kswifi.ledger.storage.snapshot import PREFIX as SNAPSHOT_PREFIX
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader

LARGEST_GENERATION_OCTETS: Final = 2 * 1024 * 1024 * 1024
"""A generation with more frames and records than this is replaced by a new one, so that a restore stays short."""
PIECES_OF_ROUND: Final = 1024
"""Pieces of the write-ahead log that one round reads at most; the next round goes on."""
_TRIES_OF_GENERATION: Final = 5
_TICK_NANOSECONDS: Final = 20_000_000
"""Longer than the steps in which a file system counts times of change (4 to 10 ms)."""

_log = structlog.get_logger(__name__)


class FramesMissedError(Exception):
    """The write-ahead log was begun anew, and frames of the old one may not have been read."""


class CopyFollower:
    """Keeps one copy up to date; ``round`` does one step."""

    def __init__(self, installation: Installation, copy: Path, clock: Clock) -> None:
        self._installation = installation
        self._copy = copy
        self._clock = clock
        self._log_path = installation.control_database.with_name(installation.control_database.name + "-wal")
        self._manifest: Manifest | None = None
        self._copied_files: dict[Path, tuple[int, int]] = {}
        self._unlogged: tuple[int, int] | None = None
        """The time of change and the size of control.db where it was copied whole and had no log."""
        self._known_end: tuple[WalPosition | None, tuple[int, int]] | None = None
        """Where a log ended while nobody could write to it, and the time of change and size of control.db then.

        While these are the same, no further frame has come into the database file, so the log was not begun anew
        behind further frames.
        """
        self.generations = 0
        """How many were begun by this follower."""

    def open(self) -> None:
        """Check both directories, and continue the copy that is there.

        Raises:
            COPY_REFUSED: there is nothing to copy, or the copy would lie in what it copies.
        """
        data_dir = self._installation.data_dir
        missing = [part.name for part in self._installation.parts_in_order if not part.exists()]
        if missing:
            raise COPY_REFUSED(f"{data_dir} holds no whole installation: {', '.join(missing)} missing")
        if self._copy.resolve().is_relative_to(data_dir.resolve()):
            raise COPY_REFUSED(f"{self._copy} would lie in the data directory that it copies: name another place")
        self._copy.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
        if (found := read_manifest(self._copy)) is None:
            return
        generation = Generation(self._copy, found.generation)
        for path, octets in ((generation.frames, found.frames_octets), (generation.records, found.records_octets)):
            if not path.exists() or path.stat().st_size < octets:
                return  # the copy lost a part: a new generation replaces it
            os.truncate(path, octets)
        self._manifest = found

    def round(self) -> Manifest:
        """Bring the copy up to now; return its manifest.

        Raises:
            OSError: the copy cannot be written; the copy stays as it was at the last manifest.
            KswifiError: the data directory is damaged.
        """
        manifest = self._manifest
        if manifest is not None and manifest.frames_octets + manifest.records_octets < LARGEST_GENERATION_OCTETS:
            try:
                self._manifest = self._continued(manifest)
            except FramesMissedError:
                _log.info("copy_begins_anew", copy=str(self._copy), generation=manifest.generation)
            else:
                return self._manifest
        self._manifest = self._new_generation()
        return self._manifest

    def _continued(self, manifest: Manifest) -> Manifest:
        generation, at = Generation(self._copy, manifest.generation), self._clock.now()
        self._copy_files(generation)
        longer = self._append_frames(generation, manifest)
        if longer.position is not None and longer.position.offset > LOG_OCTETS_KEPT:
            longer = self._let_begin_anew(generation, longer)
        is_up_to_date = self._next_frames(longer.position)[1] == longer.position
        self._copy_snapshots(generation)
        longer = self._append_records(generation, longer)
        # While frames are left, the copy reaches only as far as the manifest before says.
        longer = replace(longer, at=at if is_up_to_date else manifest.at)
        write_manifest(self._copy, longer)
        return longer

    def _new_generation(self) -> Manifest:
        """Begin a generation; the one before stays until it is complete."""
        for _ in range(_TRIES_OF_GENERATION):
            at = self._clock.now()
            generation = Generation(self._copy, f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}")
            try:
                manifest = self._begun(generation, at)
            except FramesMissedError:
                shutil.rmtree(generation.folder)
            except BaseException:
                shutil.rmtree(generation.folder, ignore_errors=True)
                raise
            else:
                write_manifest(self._copy, manifest)
                self._delete_generations_but(generation)
                return manifest
        raise COPY_REFUSED("control.db is written faster than it can be copied: no copy could be begun")

    def _begun(self, generation: Generation, at: datetime) -> Manifest:
        self.generations += 1
        for folder in (generation.folder, generation.snapshots, generation.files):
            folder.mkdir(mode=OWNER_ONLY_DIRECTORY)
        for path in (generation.frames, generation.records):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY_FILE))
        self._copied_files.clear()
        # The position comes before the whole copy. The copy may be newer, and has some of the next frames then. To
        # apply them once more gives the same pages, if the frames are read to behind the instant of the copy. The
        # reader keeps the log from being begun anew meanwhile.
        self._unlogged = self._control_stamp()
        with closing(connect(self._installation.control_database)) as reader:
            with writers_waiting(self._installation.control_database):
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                position = self._present_position()
                self._known_end = (position, self._control_stamp())
            copy_database(self._installation.control_database, generation.control)
            manifest = self._append_frames(generation, Manifest(generation.folder.name, at, 0, 0, 0, position))
            reader.execute("ROLLBACK")
            manifest = self._let_begin_anew(generation, manifest)
        self._copy_files(generation)
        self._copy_snapshots(generation)
        copy_database(self._installation.ledger_journal, generation.journal)
        manifest = replace(manifest, sequence=_last_sequence(generation.journal))
        manifest = self._append_records(generation, manifest)
        for path in (generation.control, generation.journal):
            path.chmod(OWNER_ONLY_FILE)
        for path in (generation.control, generation.journal, generation.folder, self._copy):
            _synchronise(path)
        return manifest

    def _let_begin_anew(self, generation: Generation, manifest: Manifest) -> Manifest:
        """Copy the log to its end while nobody writes, and have SQLite write its pages to the database file.

        The next commit begins the log anew, and shortens it if it has grown beyond LOG_OCTETS_KEPT; afterwards its
        end could not be found. If readers prevent that, the log goes on, and this is done again.
        """
        control = self._installation.control_database
        with writers_waiting(control):
            frames, position = self._next_frames(manifest.position)
            packed = [pack_frame(frame) for frame in frames]
            while frames:
                frames, position = self._next_frames(position)
                packed += [pack_frame(frame) for frame in frames]
            with closing(connect(control)) as checkpointer:
                checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._known_end = (position, self._control_stamp())
        with generation.frames.open("ab") as file:
            written = manifest.frames_octets + sum(file.write(octets) for octets in packed)
            file.flush()
            os.fsync(file.fileno())
        return replace(manifest, frames_octets=written, position=position)

    def _delete_generations_but(self, kept: Generation) -> None:
        for other in self._copy.iterdir():
            if other.is_dir() and other != kept.folder and (other / kept.frames.name).exists():
                shutil.rmtree(other)

    def _present_position(self) -> WalPosition | None:
        """Return the position behind the last commit in the log; None if there is no log yet."""
        position = read_header(self._log_path)
        while position is not None:
            frames, position = read_frames(self._log_path, position)
            if not frames:
                return position
        return None

    def _control_stamp(self) -> tuple[int, int]:
        """Return the time of change and the size of control.db, once a later change cannot have the same time."""
        while True:
            facts = self._installation.control_database.stat()
            if time.time_ns() - facts.st_mtime_ns > _TICK_NANOSECONDS:
                return facts.st_mtime_ns, facts.st_size
            time.sleep(_TICK_NANOSECONDS / 1e9)

    def _append_frames(self, generation: Generation, manifest: Manifest) -> Manifest:
        written, position = manifest.frames_octets, manifest.position
        with generation.frames.open("ab") as file:
            for _ in range(PIECES_OF_ROUND):
                frames, following = self._next_frames(position)
                if following == position:
                    break
                written += sum(file.write(pack_frame(frame)) for frame in frames)
                position = following
            if written != manifest.frames_octets:
                file.flush()
                os.fsync(file.fileno())
        return replace(manifest, frames_octets=written, position=position)

    def _next_frames(self, position: WalPosition | None) -> tuple[list[Frame], WalPosition | None]:
        """Return the next frames, and the position behind them, maybe in the next log.

        Raises:
            FramesMissedError: frames between the position and the present log may have been overwritten.
        """
        # The header is read first: if the log is begun anew meanwhile, its next frames are found the next time.
        header = read_header(self._log_path)
        if position is None:
            # There was no log, so all is in the whole copy, unless a log was made, and emptied or deleted, since:
            # its pages are in the database file then.
            if self._control_stamp() != self._unlogged or (header is not None and header.checkpoint != 0):
                raise FramesMissedError
            return [], header
        frames, after = read_frames(self._log_path, position)
        if frames:
            return frames, after
        if header is not None and header.salts == position.salts:
            return [], position
        if header is None or not is_next_log(position, header):
            raise FramesMissedError
        if not ended_at(self._log_path, position) and self._known_end != (position, self._control_stamp()):
            raise FramesMissedError
        return [], header

    def _append_records(self, generation: Generation, manifest: Manifest) -> Manifest:
        written, sequence = manifest.records_octets, manifest.sequence
        reader = SqliteJournalReader(self._installation.ledger_dir)
        with closing(reader), generation.records.open("ab") as file:
            while records := reader.read(sequence, READ_RECORDS):
                if records[0].sequence != sequence + 1:
                    raise FramesMissedError  # pruned before they were copied
                packed = b"".join(map(pack_record, records))
                file.write(packed)
                written, sequence = written + len(packed), records[-1].sequence
            if written != manifest.records_octets:
                file.flush()
                os.fsync(file.fileno())
        return replace(manifest, records_octets=written, sequence=sequence)

    def _copy_snapshots(self, generation: Generation) -> None:
        """Copy new snapshots of the ledger, and delete those that the server has deleted."""
        found = {path.name: path for path in self._installation.ledger_dir.glob(f"{SNAPSHOT_PREFIX}*")}
        for name, path in found.items():
            target = generation.snapshots / name
            if name.removeprefix(SNAPSHOT_PREFIX).isdecimal() and not target.exists():
                _copy_whole(path, target)
        for copied in generation.snapshots.iterdir():
            if copied.name not in found:
                copied.unlink(missing_ok=True)

    def _copy_files(self, generation: Generation) -> None:
        """Copy keys, certificates and other files that are new or changed, and drop those that are gone."""
        data_dir = self._installation.data_dir
        found: dict[Path, tuple[int, int]] = {}
        for path in copied_files(data_dir):
            name, facts = path.relative_to(data_dir), path.stat()
            target = generation.files / name
            if path.is_dir():
                target.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
                continue
            found[name] = (facts.st_mtime_ns, facts.st_size)
            if self._copied_files.get(name) != found[name]:
                target.parent.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
                _copy_whole(path, target)
        for name in self._copied_files.keys() - found.keys():
            (generation.files / name).unlink(missing_ok=True)
        self._copied_files = found


def connect(database: Path) -> sqlite3.Connection:
    """Return a connection without implicit transactions."""
    uri = f"{database.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


@contextmanager
def writers_waiting(database: Path) -> Iterator[None]:
    """Hold the write lock of a database during the block, which must be short: every writer waits."""
    with closing(connect(database)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


def _copy_whole(path: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(path, partial)
    except FileNotFoundError:
        return  # deleted meanwhile, like a gateway's settled count file
    partial.chmod(OWNER_ONLY_FILE)
    _synchronise(partial)
    partial.replace(target)
    _synchronise(target.parent)


def _last_sequence(journal: Path) -> int:
    with closing(sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True)) as database:
        (sequence,) = database.execute("SELECT coalesce(max(sequence), 0) FROM record").fetchone()
    return int(sequence)


def _synchronise(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

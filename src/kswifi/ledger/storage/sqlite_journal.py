"""The journal in SQLite: a file of its own with write-ahead logging; every append is synchronised to the disk.

SQLite's recovery silently drops everything after a damaged frame of its write-ahead log. Therefore a second small
file, ``ledger.head``, gets the sequence and digest of every durable record, without being synchronised itself.
After a crash of the process it holds the last acknowledged record, after a power cut at least an earlier one. A
journal that ends before that record lost its tail, and opening it fails. The owner locks the same file while it
runs.
"""

import fcntl
import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Final

from kswifi.kernel.disk_faults import DiskFault, fault_of
from kswifi.ledger.errors import (
    LedgerClosedError,
    LedgerDamagedError,
    LedgerDiskError,
    LedgerError,
    LedgerFullError,
    LedgerLockedError,
    LedgerVersionError,
)
from kswifi.ledger.storage.journal import DIGEST_SIZE, GENESIS, Head, Record, base_of

FILE_NAME: Final = "ledger.db"
HEAD_NAME: Final = "ledger.head"
APPLICATION_ID: Final = 0x4B535749
"""In the header of the SQLite file: "KSWI"."""
SCHEMA_VERSION: Final = 1
BUSY_SECONDS: Final = 5.0
LOG_OCTETS_KEPT: Final = 16 * 1024 * 1024
"""SQLite cuts a write-ahead log back to this size when it next restarts it; without a limit it keeps its peak."""

_HEAD: Final = struct.Struct(f">Q{DIGEST_SIZE}s")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS record (
    sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
    payload  BLOB NOT NULL,
    digest   BLOB NOT NULL
) STRICT
"""


class SqliteJournal:
    """The journal in a directory that may hold other files; only its owner can read it (mode 0600)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / FILE_NAME
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = Lock()
        self._head_file = -1
        self._owed: Record | None = None
        """A record that was inserted, but is not in the head file yet: the disk was full for that."""

    def open(self) -> Head:
        """Lock and open the file, or create it; check that no acknowledged record is missing at its end."""
        head_path = self.directory / HEAD_NAME
        exists = self.path.exists()
        if not exists and head_path.exists() and head_path.stat().st_size:
            raise LedgerDamagedError(f"the journal {self.path} is missing", path=str(self.path))
        self._head_file = os.open(head_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(self._head_file, self.directory)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._writer = _connect(self.path, read_only=False)
            _prepare(self._writer, self.path)
            self._reader = _connect(self.path, read_only=True)
            if not exists:
                synchronise_directory(self.directory)
            return self._checked_head()
        except sqlite3.DatabaseError as error:
            self.close()
            raise _disk_error(self.path, error) or _damaged(self.path, error) from error
        except BaseException:
            self.close()
            raise

    def append(self, record: Record) -> None:
        """Insert the record in a transaction of its own; SQLite returns after the synchronisation.

        A full disk fails a transaction of SQLite before the frame that commits it is written. A file system that
        copies on write may be full for the head file alone: the record is inserted then, and a repetition only
        writes the head.
        """
        if self._writer is None:
            raise LedgerClosedError("the journal is not open")
        try:
            if record != self._owed:
                self._writer.execute(
                    "INSERT INTO record (sequence, payload, digest) VALUES (?, ?, ?)",
                    (record.sequence, record.payload, record.digest),
                )
                self._owed = record
            os.pwrite(self._head_file, _HEAD.pack(record.sequence, record.digest), 0)
            self._owed = None
        except (sqlite3.Error, OSError) as error:
            raise _disk_error(self.path, error) or error from error

    def read(self, after_sequence: int, limit: int) -> list[Record]:
        """Return at most ``limit`` records after the sequence, through a separate read-only connection."""
        with self._reading:
            if self._reader is None:
                raise LedgerClosedError("the journal is not open")
            return read_records(self._reader, self.path, after_sequence, limit)

    def base(self) -> Head:
        """Return the head to follow the journal from."""
        with self._reading:
            if self._reader is None:
                raise LedgerClosedError("the journal is not open")
            return base_of(next(iter(read_records(self._reader, self.path, 0, 1)), None))

    def prune(self, before: int, limit: int) -> int:
        """Delete records in a transaction of its own; SQLite reuses their space in the file."""
        if self._writer is None:
            raise LedgerClosedError("the journal is not open")
        try:
            return self._writer.execute(
                "DELETE FROM record WHERE sequence IN (SELECT sequence FROM record"
                " WHERE sequence < min(?, (SELECT max(sequence) FROM record)) ORDER BY sequence LIMIT ?)",
                (before, limit),
            ).rowcount
        except sqlite3.Error as error:
            raise _disk_error(self.path, error) or error from error

    def close(self) -> None:
        """Close the file and release the lock."""
        with self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None
        if self._head_file >= 0:
            os.close(self._head_file)
            self._head_file = -1

    def _checked_head(self) -> Head:
        head = _last(self._require_writer(), self.path)
        known = os.pread(self._head_file, _HEAD.size + 1, 0)
        if not known:
            os.pwrite(self._head_file, _HEAD.pack(head.sequence, head.digest), 0)
            os.fsync(self._head_file)
            return head
        sequence, digest = _unpack_head(known, self.path)
        if sequence > head.sequence:
            raise LedgerDamagedError(
                f"the journal {self.path} ends with record {head.sequence}, but record {sequence} was "
                "acknowledged: its tail is lost or damaged",
                path=str(self.path),
                sequence=head.sequence,
                acknowledged=sequence,
            )
        stored = _at(self._require_writer(), self.path, sequence) if sequence else GENESIS
        if stored != digest:
            raise LedgerDamagedError(
                f"record {sequence} of {self.path} is not the one that was acknowledged",
                path=str(self.path),
                sequence=sequence,
            )
        return head

    def _require_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            raise LedgerClosedError("the journal is not open")
        return self._writer


class SqliteJournalReader:
    """The same file, read-only and without the lock: for inspection, and for snapshots while the owner runs."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        if not self.path.exists():
            raise LedgerDamagedError(f"there is no journal at {self.path}", path=str(self.path))
        self._connection = _connect(self.path, read_only=True)

    def open(self) -> Head:
        """Return the head of the journal, without locking it."""
        try:
            _check_kind(self._connection, self.path)
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error
        return _last(self._connection, self.path)

    def append(self, record: Record) -> None:
        """Refuse: this journal is read-only."""
        raise LedgerClosedError("this journal is read only", sequence=record.sequence)

    def read(self, after_sequence: int, limit: int) -> list[Record]:
        """Return records after the sequence."""
        return read_records(self._connection, self.path, after_sequence, limit)

    def base(self) -> Head:
        """Return the head to follow the journal from."""
        return base_of(next(iter(self.read(0, 1)), None))

    def prune(self, before: int, limit: int) -> int:
        """Refuse: this journal is read-only."""
        raise LedgerClosedError("this journal is read only", before=before, limit=limit)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def acknowledged(directory: Path) -> int:
    """Return the sequence of the last acknowledged record in the head file; raises as ``acknowledged_head``."""
    return acknowledged_head(directory).sequence


def acknowledged_head(directory: Path) -> Head:
    """Return the last acknowledged record in the head file; the genesis if there is no such file.

    Raises:
        LedgerDamagedError: the file is damaged.
    """
    path = directory / HEAD_NAME
    known = path.read_bytes() if path.exists() else b""
    return Head(*_unpack_head(known, path)) if known else Head()


def read_records(connection: sqlite3.Connection, path: Path, after_sequence: int, limit: int) -> list[Record]:
    """Return at most ``limit`` records after the sequence, oldest first."""
    try:
        with closing(
            connection.execute(
                "SELECT sequence, payload, digest FROM record WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (after_sequence, limit),
            )
        ) as rows:
            return [Record(*row) for row in rows]
    except sqlite3.DatabaseError as error:
        raise _damaged(path, error) from error


def _unpack_head(known: bytes, path: Path) -> tuple[int, bytes]:
    if len(known) != _HEAD.size:
        raise LedgerDamagedError(
            f"{HEAD_NAME} next to {path} is damaged: {len(known)} octets, not {_HEAD.size}", path=str(path)
        )
    sequence, digest = _HEAD.unpack(known)
    return sequence, digest


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    # One thread appends; readers hold a lock. In autocommit mode each INSERT is a transaction.
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not objects:  # new, or left by a crash during creation; the head file knows of acknowledged records
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    _check_kind(connection, path)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise LedgerDamagedError(f"{path} cannot use write-ahead logging", path=str(path))
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_OCTETS_KEPT}")
    connection.execute(_SCHEMA)


def _check_kind(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise LedgerDamagedError(f"{path} is not a KSWiFi ledger", path=str(path))
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise LedgerVersionError(f"{path} was made by a newer KSWiFi", path=str(path), version=version)


def _last(connection: sqlite3.Connection, path: Path) -> Head:
    try:
        row = connection.execute("SELECT sequence, digest FROM record ORDER BY sequence DESC LIMIT 1").fetchone()
    except sqlite3.DatabaseError as error:
        raise _damaged(path, error) from error
    return Head(*row) if row else Head()


def _at(connection: sqlite3.Connection, path: Path, sequence: int) -> bytes | None:
    records = read_records(connection, path, sequence - 1, 1)
    return records[0].digest if records and records[0].sequence == sequence else None


def _lock(file: int, directory: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerLockedError(
            f"another process uses the ledger in {directory}", directory=str(directory)
        ) from None


def synchronise_directory(directory: Path) -> None:
    """Make the names of new and renamed files durable."""
    file = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _disk_error(path: Path, error: sqlite3.Error | OSError) -> LedgerError | None:
    """Return the ledger's error for a full, broken or read-only disk; None if the error means something else."""
    match fault_of(error, path.parent):
        case DiskFault.FULL:
            return LedgerFullError(f"the disk of {path} is full", path=str(path))
        case DiskFault.READ_ONLY:
            return LedgerDiskError(
                f"the file system of {path} is read-only: the ledger cannot be written. Nothing was answered that "
                "is not on the disk. Make it writable (often it became so after a disk error), then start again",
                path=str(path),
                cause=str(error),
            )
        case DiskFault.BROKEN:
            return LedgerDiskError(
                f"the disk of {path} failed ({error}): what is on it is unknown, so the ledger stops. Nothing was "
                "answered that is not known to be on the disk. Check the disk, then start again: the start checks "
                "the journal",
                path=str(path),
                cause=str(error),
            )
    return None


def _damaged(path: Path, error: sqlite3.Error) -> LedgerDamagedError:
    return LedgerDamagedError(f"the journal {path} cannot be read: {error}", path=str(path), cause=str(error))

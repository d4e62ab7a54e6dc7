"""Tell a full disk from a broken or read-only one: the first passes, after the others nothing may be relied on."""

import errno
import os
import sqlite3
import tempfile
from enum import StrEnum, auto
from pathlib import Path
from typing import Final

_PROBE_OCTETS: Final = 4096
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class DiskFault(StrEnum):
    """Why a write failed."""

    FULL = auto()
    """There is no room. The write is known not to be done and may be repeated."""
    READ_ONLY = auto()
    """The file system takes no writes."""
    BROKEN = auto()
    """An input/output error, or a failed synchronisation. What is on the disk is unknown."""


def fault_of(error: BaseException, directory: Path) -> DiskFault | None:
    """Return the disk fault that an error of SQLite or of the system means; None if it means none.

    SQLite reports a full quota and a read-only file system as input/output errors. Therefore an attempt to write a
    small file into ``directory`` decides there.
    """
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary == sqlite3.SQLITE_FULL:
            return DiskFault.FULL
        if code in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE):
            return _tried(directory) or DiskFault.BROKEN
        if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return _tried(directory)
        return DiskFault.BROKEN if primary == sqlite3.SQLITE_IOERR else None
    return _of_number(error.errno) if isinstance(error, OSError) else None


def _tried(directory: Path) -> DiskFault | None:
    """Write and synchronise a small file in the directory; return the fault, None if that works."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_PROBE_OCTETS))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return _of_number(error.errno)
    return None


def _of_number(number: int | None) -> DiskFault | None:
    if number in _FULL:
        return DiskFault.FULL
    if number == errno.EROFS:
        return DiskFault.READ_ONLY
    return DiskFault.BROKEN if number == errno.EIO else None

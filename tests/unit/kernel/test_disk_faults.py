"""Distinguish a full disk, a read-only one and a broken one."""

import errno
import sqlite3
from pathlib import Path

import pytest

from kswifi.kernel.disk_faults import DiskFault, fault_of


def of_sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite puts it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (of_sqlite(sqlite3.SQLITE_FULL), DiskFault.FULL),
        (of_sqlite(sqlite3.SQLITE_IOERR_FSYNC), DiskFault.BROKEN),
        (of_sqlite(sqlite3.SQLITE_IOERR_READ), DiskFault.BROKEN),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), DiskFault.BROKEN),
        (of_sqlite(sqlite3.SQLITE_READONLY), None),  # a statement that writes on a connection that may not
        (of_sqlite(sqlite3.SQLITE_BUSY), None),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), None),
        (sqlite3.ProgrammingError("a closed database"), None),
        (OSError(errno.ENOSPC, ""), DiskFault.FULL),
        (OSError(errno.EDQUOT, ""), DiskFault.FULL),
        (OSError(errno.EROFS, ""), DiskFault.READ_ONLY),
        (OSError(errno.EIO, ""), DiskFault.BROKEN),
        (OSError(errno.ENOENT, ""), None),
        (ValueError("no disk"), None),
    ],
)
def test_each_error_means_one_fault(tmp_path: Path, error: BaseException, fault: DiskFault | None) -> None:
    assert fault_of(error, tmp_path) is fault
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN]
)
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.ENOSPC, DiskFault.FULL),
        (errno.EDQUOT, DiskFault.FULL),
        (errno.EROFS, DiskFault.READ_ONLY),
        (errno.EIO, DiskFault.BROKEN),
    ],
)
def test_where_sqlite_does_not_say_a_small_file_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, number: int, fault: DiskFault
) -> None:
    def refused(**_: object) -> None:
        raise OSError(number, "")

    monkeypatch.setattr("kswifi.kernel.disk_faults.tempfile.TemporaryFile", refused)
    assert fault_of(of_sqlite(code), tmp_path) is fault

"""Back up and restore the data directory, also while the server runs.

The order of the copies matters: control database, the ledger's snapshots and head, the ledger's journal, all other
files. The copied journal is therefore never older than the other copies. After a restore the projector catches up
with the journal, and the ledger answers repeated outbox entries by their command ids.
"""

import contextlib
import errno
import os
import shutil
import sqlite3
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from kswifi.data_directory import backup_record
from kswifi.data_directory.layout import Installation
from kswifi.kernel.errors import Refusal, RefusedError
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE

_NOT_COPIED: Final = {"lock", "log", "ledger", "control.db", "ballast", backup_record.NAME}
_LARGEST_BACKUP_MEMBERS: Final = 1_000_000
BACKUP_REFUSED = Refusal("backup_refused", "A backup that cannot be made, read or put back.")


def backup(data_dir: Path, archive: Path) -> int:
    """Write all data that must not be lost into one file that only its owner can read; return its size in octets.

    The file is written under a temporary name in the same folder and renamed once it is complete and on disk. A
    failed backup therefore never looks like a complete one, and does not block the next.

    Raises:
        BACKUP_REFUSED: there is nothing to save, the file exists already, or it would lie in what it saves.
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
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                _add_everything(tar, installation, data_dir)
            file.flush()
            os.fsync(file.fileno())
        octets = partial.stat().st_size
        _give_name(partial, archive)
    finally:
        partial.unlink(missing_ok=True)
    _synchronise(archive.parent)
    record = backup_record.BackupRecord(datetime.now(UTC), str(archive.resolve()), octets)
    backup_record.write_backup_record(data_dir, record)
    return octets


def restore(archive: Path, data_dir: Path) -> None:
    """Restore a backup into a data directory that holds no installation.

    All files are first unpacked and checked in a temporary folder next to it, so a damaged backup leaves nothing
    half-done.

    Raises:
        BACKUP_REFUSED: the directory is in use or not empty, or the backup is damaged.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise BACKUP_REFUSED(
            f"{data_dir} is not empty: move it away first, or set KSWIFI_DATA_DIR to another folder",
            data_dir=str(data_dir),
        )
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir.parent, prefix=".restore-") as scratch:
        unpacked = Path(scratch) / "data"
        unpacked.mkdir(mode=OWNER_ONLY_DIRECTORY)
        _unpack(archive, unpacked)
        installation = Installation(unpacked)
        missing = [part.name for part in installation.parts_in_order if not part.exists()]
        if missing:
            raise BACKUP_REFUSED(f"{archive} holds no whole installation: {', '.join(missing)} missing")
        for database in (installation.control_database, installation.ledger_journal):
            _check_database(database)
        # The state after the backup is lost. A new, higher Origin-State-Id at the next start tells the peers that
        # their earlier sessions are gone (RFC 6733, 8.16).
        installation.origin_state_id.unlink(missing_ok=True)
        if data_dir.exists():
            data_dir.rmdir()
        for path in (*unpacked.rglob("*"), unpacked):
            _synchronise(path)
        unpacked.rename(data_dir)
    _synchronise(data_dir.parent)


def _add_everything(tar: tarfile.TarFile, installation: Installation, data_dir: Path) -> None:
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".backup-") as scratch:
        scratch_copy = Path(scratch) / "copy.db"
        _add_database(tar, installation.control_database, scratch_copy, data_dir)
        journal_parts = (installation.ledger_journal.name, "-wal", "-shm")
        for path in sorted(installation.ledger_dir.iterdir()):
            if not path.name.endswith(journal_parts) and not path.name.startswith("."):
                tar.add(path, str(path.relative_to(data_dir)))
        _add_database(tar, installation.ledger_journal, scratch_copy, data_dir)
    for path in sorted(data_dir.rglob("*")):
        name = path.relative_to(data_dir)
        if _is_copied(name) and (path.is_dir() or path.is_file()):
            # A gateway deletes a count file when its usage is settled; the ledger then has the usage.
            with contextlib.suppress(FileNotFoundError):
                tar.add(path, str(name), recursive=False)


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


def _synchronise(path: Path) -> None:
    """Flush a file's octets, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unpack(archive: Path, into: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for count, member in enumerate(tar):
                if count > _LARGEST_BACKUP_MEMBERS:
                    raise BACKUP_REFUSED(f"{archive} holds more files than any installation")
                _unpack_member(tar, member, archive, into)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BACKUP_REFUSED(f"{archive} is no backup, or is damaged: {error}") from error
    for path in (into, *into.rglob("*")):
        path.chmod(OWNER_ONLY_DIRECTORY if path.is_dir() else OWNER_ONLY_FILE)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Path, into: Path) -> None:
    """Write one file or folder into ``into``; refuse other kinds of members and paths outside it.

    The filters of ``tarfile`` (PEP 706) are not used: the Python 3.11 of Debian 12 does not have them.
    """
    name = PurePosixPath(member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if name.is_absolute() or ".." in name.parts or not (member.isdir() or content):
        raise BACKUP_REFUSED(f"{archive} is no backup, or is damaged: it holds {member.name!r}")
    place = into / name
    if content is None:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("xb") as file:
        shutil.copyfileobj(content, file)


def _is_copied(name: Path) -> bool:
    top = name.parts[0]
    return top not in _NOT_COPIED and not top.startswith(".") and not name.name.endswith(("-wal", "-shm"))


def _add_database(tar: tarfile.TarFile, database: Path, scratch_copy: Path, data_dir: Path) -> None:
    scratch_copy.unlink(missing_ok=True)
    _copy_database(database, scratch_copy)
    tar.add(scratch_copy, str(database.relative_to(data_dir)))


def _copy_database(source: Path, copy: Path) -> None:
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


def _check_database(path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        verdict = database.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise BACKUP_REFUSED(f"{path.name} in the backup is damaged: {error}") from error
    finally:
        database.close()
    if verdict != "ok":
        raise BACKUP_REFUSED(f"{path.name} in the backup is damaged: {verdict}")

"""Read a backup: check every octet of it against its digests, and unpack it."""

import gzip
import shutil
import sqlite3
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from kswifi.data_directory import backup_manifest
from kswifi.data_directory.backup_manifest import DigestingReader, Manifest
from kswifi.kernel.errors import Refusal, RefusedError
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE

_LARGEST_BACKUP_MEMBERS: Final = 1_000_000
_PIECE_OCTETS: Final = 1 << 20
BACKUP_REFUSED = Refusal("backup_refused", "A backup that cannot be made, read or put back.")


def check_backup(archive: Path) -> Manifest | None:
    """Read a backup to its end and check every digest; return its manifest, None for one of an older version.

    Raises:
        BACKUP_REFUSED: it is no backup, or is damaged.
    """
    return _read(archive, None)


def unpack(archive: Path, into: Path) -> Manifest | None:
    """Unpack a backup into an empty folder and check every digest; return its manifest.

    Raises:
        BACKUP_REFUSED: it is no backup, or is damaged, or holds a member that no backup holds.
    """
    manifest = _read(archive, into)
    for path in (into, *into.rglob("*")):
        path.chmod(OWNER_ONLY_DIRECTORY if path.is_dir() else OWNER_ONLY_FILE)
    return manifest


def structure_of(database: Path) -> list[str]:
    """Return what SQLite's quick check finds in a database; nothing if its structure is sound."""
    connection = sqlite3.connect(database)
    try:
        findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)")]
    except sqlite3.Error as error:
        findings = [str(error)]
    finally:
        connection.close()
    return [] if findings == ["ok"] else findings


def _read(archive: Path, into: Path | None) -> Manifest | None:
    digests: dict[str, str] = {}
    manifest: Manifest | None = None
    try:
        with gzip.open(archive) as octets, tarfile.open(fileobj=octets, mode="r:") as tar:
            for count, member in enumerate(tar):
                if count > _LARGEST_BACKUP_MEMBERS:
                    raise BACKUP_REFUSED(f"{archive} holds more files than any installation")
                if manifest is not None:
                    raise _damaged(archive, f"{member.name!r} comes after its end")
                if member.name == backup_manifest.NAME:
                    manifest = _manifest_in(tar, member, archive)
                else:
                    _take(tar, member, archive, into, digests)
            while octets.read(_PIECE_OCTETS):  # to the end, where gzip has its checksum
                continue
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise _damaged(archive, str(error)) from error
    if manifest is not None and manifest.digests != digests:
        names = sorted(set(manifest.digests.items()) ^ set(digests.items()))
        raise _damaged(archive, f"{names[0][0]} is not what was saved")
    return manifest


def _manifest_in(tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Path) -> Manifest:
    content = tar.extractfile(member)
    if content is None or member.size > backup_manifest.LARGEST_OCTETS:
        raise _damaged(archive, f"{backup_manifest.NAME} is no manifest")
    try:
        return msgspec.json.decode(content.read(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(archive, f"{backup_manifest.NAME} is no manifest: {error}") from error


def _take(
    tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Path, into: Path | None, digests: dict[str, str]
) -> None:
    """Write one file or folder below ``into``; refuse other kinds of members and paths outside it.

    The filters of ``tarfile`` (PEP 706) are not used: the Python 3.11 of Debian 12 does not have them.
    """
    name = PurePosixPath(member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if name.is_absolute() or ".." in name.parts or not (member.isdir() or content):
        raise _damaged(archive, f"it holds {member.name!r}")
    place = None if into is None else into / name
    if content is None:
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        return
    with content:
        reader = DigestingReader(content)
        if place is None:
            while reader.read(_PIECE_OCTETS):
                continue
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                shutil.copyfileobj(reader, file)
    digests[member.name] = reader.hexdigest()


def _damaged(archive: Path, why: str) -> RefusedError:
    return BACKUP_REFUSED(f"{archive} is no backup, or is damaged: {why}")

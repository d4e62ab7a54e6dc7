"""The files of a copy, and its manifest, which alone says how much of them counts.

A copy is a directory with one folder for each generation. A generation begins with whole copies of both databases
and continues with two files that only grow: the frames of control.db's write-ahead log, and the records of the
ledger's journal. The manifest is replaced after both are on disk. What lies behind the lengths that it names is
ignored, so a crash at any moment leaves the copy as it was at the manifest before.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from kswifi.data_directory.copying.wal import Frame, WalPosition
from kswifi.kernel.errors import Refusal
from kswifi.kernel.files import write_owner_only
from kswifi.ledger.storage.journal import DIGEST_SIZE, Record

MANIFEST: Final = "kswifi-copy.json"
VERSION: Final = 1
COPY_REFUSED = Refusal("copy_refused", "A continuous copy that cannot be made, read or put back.")

_FRAME: Final = struct.Struct(">III")
_RECORD: Final = struct.Struct(f">QI{DIGEST_SIZE}s")


@dataclass(frozen=True, slots=True)
class Manifest:
    """How far a copy reaches.

    Attributes:
        generation: the folder that counts.
        at: everything that was durable at this instant is in the copy.
        frames_octets: the length of the file of frames.
        records_octets: the length of the file of records.
        sequence: the last record of the ledger's journal in the copy.
        position: where control.db's write-ahead log is read on.
    """

    generation: str
    at: datetime
    frames_octets: int
    records_octets: int
    sequence: int
    position: WalPosition | None


class Generation:
    """The paths of one generation."""

    def __init__(self, copy: Path, name: str) -> None:
        self.folder = copy / name
        self.control = self.folder / "control.db"
        self.frames = self.folder / "control.frames"
        self.journal = self.folder / "ledger.db"
        self.records = self.folder / "ledger.records"
        self.snapshots = self.folder / "snapshots"
        self.files = self.folder / "files"


def write_manifest(copy: Path, manifest: Manifest) -> None:
    """Replace the manifest; what it names must be on disk already."""
    stored = {"version": VERSION, **asdict(manifest), "at": manifest.at.isoformat()}
    write_owner_only(copy / MANIFEST, json.dumps(stored).encode())


def read_manifest(copy: Path) -> Manifest | None:
    """Return the manifest; None if the directory holds no copy.

    Raises:
        COPY_REFUSED: the manifest is damaged, or of a newer version.
    """
    path = copy / MANIFEST
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_bytes())
        version = stored.pop("version")
        if version > VERSION:
            raise COPY_REFUSED(f"{copy} was made by a newer KSWiFi: restore it with that one")
        position = stored.pop("position")
        if position is not None:
            pairs = {name: (int(position[name][0]), int(position[name][1])) for name in ("salts", "checksum")}
            position = WalPosition(**{**position, **pairs})
        return Manifest(**{**stored, "at": datetime.fromisoformat(stored["at"])}, position=position)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise COPY_REFUSED(f"{path} is damaged: {error}") from error


def pack_frame(frame: Frame) -> bytes:
    """Return a frame as it is stored: page number, size of the database after a commit, length, octets."""
    return _FRAME.pack(frame.page, frame.database_pages, len(frame.content)) + frame.content


def stored_frames(file: BinaryIO, octets: int) -> Iterator[Frame]:
    """Yield the frames in the first ``octets`` of a file.

    Raises:
        COPY_REFUSED: the file is shorter, or its lengths do not fit.
    """
    while octets:
        page, database_pages, size = _FRAME.unpack(_exactly(file, _FRAME.size))
        octets -= _FRAME.size + size
        yield Frame(page, database_pages, _exactly(file, size))


def pack_record(record: Record) -> bytes:
    """Return a record of the journal as it is stored: sequence, length, digest, payload."""
    return _RECORD.pack(record.sequence, len(record.payload), record.digest) + record.payload


def stored_records(file: BinaryIO, octets: int) -> Iterator[Record]:
    """Yield the records in the first ``octets`` of a file.

    Raises:
        COPY_REFUSED: the file is shorter, or its lengths do not fit.
    """
    while octets:
        sequence, size, digest = _RECORD.unpack(_exactly(file, _RECORD.size))
        octets -= _RECORD.size + size
        yield Record(sequence, _exactly(file, size), digest)


def _exactly(file: BinaryIO, octets: int) -> bytes:
    read = file.read(octets)
    if len(read) != octets:
        raise COPY_REFUSED(f"{file.name} ends too early: the copy is damaged")
    return read

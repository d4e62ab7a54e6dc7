"""The manifest of a backup: when it was made, how far its ledger goes, and the digest of every file in it.

It is the last member of the archive, and is not restored. A backup of an older version has none.
"""

import hashlib
from datetime import datetime
from io import BytesIO
from tarfile import TarFile, TarInfo
from typing import IO, Any, Final

import msgspec

NAME: Final = "backup.json"
LARGEST_OCTETS: Final = 1 << 28


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself."""

    made_at: datetime
    ledger_sequence: int
    """The last record of the ledger."""
    ledger_at: int | None
    """When that record was written, in Unix seconds; None for an empty ledger."""
    digests: dict[str, str]
    """The SHA-256 of each file's octets, by the name of the member."""
    damage: tuple[str, ...] = ()
    """Damage that was known when the backup was made; it was made nevertheless, because a person asked for it."""


class DigestingReader:
    """Reads a file and computes the SHA-256 of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, octets: int = -1) -> bytes:
        """Return the next octets."""
        piece = self._file.read(octets)
        self._digest.update(piece)
        return piece

    def hexdigest(self) -> str:
        """Return the digest of everything read so far, in hexadecimal."""
        return self._digest.hexdigest()


class DigestingTar(TarFile):
    """An archive that notes the digest of each file's octets exactly as they are written into it."""

    def __init__(self, *rest: Any, **more: Any) -> None:
        self.digests: dict[str, str] = {}
        super().__init__(*rest, **more)

    def addfile(self, tarinfo: TarInfo, fileobj: Any = None) -> None:
        """Add one member."""
        if fileobj is None:
            super().addfile(tarinfo)
            return
        reader = DigestingReader(fileobj)
        super().addfile(tarinfo, reader)  # it calls read alone
        self.digests[tarinfo.name] = reader.hexdigest()

    def add_manifest(self, manifest: Manifest) -> None:
        """Add the manifest; call it last."""
        octets = msgspec.json.encode(manifest)
        member = TarInfo(NAME)
        member.size, member.mode = len(octets), 0o600
        super().addfile(member, BytesIO(octets))

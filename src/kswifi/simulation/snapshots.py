"""Snapshots on the pretended disk: kept in memory, and now and then damaged."""

import io
from pathlib import Path
from random import Random
from typing import BinaryIO

from kswifi.ledger.state import LedgerState
from kswifi.ledger.storage.journal import Head
from kswifi.ledger.storage.snapshot import KEEP, SnapshotStore, write_state


class SimulatedSnapshots(SnapshotStore):
    """What ``keep`` was given, the newest two; the ledger itself writes none as it ends: it only ever crashes."""

    def __init__(self) -> None:
        super().__init__(Path())
        self._kept: dict[int, bytes] = {}

    def paths(self) -> list[Path]:
        """Return names for them, the newest first."""
        return [Path(str(sequence)) for sequence in sorted(self._kept, reverse=True)]

    def write(self, state: LedgerState, head: Head) -> Path:  # noqa: ARG002 - the store's shape
        """Write none."""
        return Path(str(head.sequence))

    def keep(self, state: LedgerState, head: Head) -> None:
        """Write one, and let the oldest go."""
        file = io.BytesIO()
        write_state(file, state, head)
        self._kept[head.sequence] = file.getvalue()
        for old in self.superseded():
            del self._kept[int(old.name)]

    def damage_newest(self, chance: Random) -> None:
        """Alter an octet of the newest, or cut it, if there is another one that is whole."""
        if sum(self.whole(path) is not None for path in self.paths()) < KEEP:
            return
        newest = max(self._kept)
        octets = bytearray(self._kept[newest])
        place = chance.randrange(len(octets))
        octets[place] ^= 0x40
        self._kept[newest] = bytes(octets[: chance.choice((place, len(octets)))])

    def _open(self, path: Path) -> BinaryIO:
        return io.BytesIO(self._kept[int(path.name)])

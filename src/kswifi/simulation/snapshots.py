"""Snapshots on the simulated disk: kept in memory, and sometimes damaged."""

import io
from pathlib import Path
from random import Random
from typing import BinaryIO

from kswifi.ledger.state import LedgerState
from kswifi.ledger.storage.journal import Head
from kswifi.ledger.storage.snapshot import KEEP, SnapshotStore, write_state


class SimulatedSnapshots(SnapshotStore):
    """Keeps the newest two snapshots given to ``keep``.

    The ledger writes none itself when it closes, because in the simulation it always crashes.
    """

    def __init__(self) -> None:
        super().__init__(Path())
        self._kept: dict[int, bytes] = {}

    def paths(self) -> list[Path]:
        """Return the names of the snapshots, newest first."""
        return [Path(str(sequence)) for sequence in sorted(self._kept, reverse=True)]

    def write(self, state: LedgerState, head: Head) -> Path:  # noqa: ARG002 - the store's shape
        """Write nothing."""
        return Path(str(head.sequence))

    def keep(self, state: LedgerState, head: Head) -> None:
        """Store a snapshot, and drop superseded ones."""
        file = io.BytesIO()
        write_state(file, state, head)
        self._kept[head.sequence] = file.getvalue()
        for old in self.superseded():
            del self._kept[int(old.name)]

    def damage_newest(self, chance: Random) -> None:
        """Change an octet of the newest snapshot, or truncate it, if another one is intact."""
        if sum(self.whole(path) is not None for path in self.paths()) < KEEP:
            return
        newest = max(self._kept)
        octets = bytearray(self._kept[newest])
        place = chance.randrange(len(octets))
        octets[place] ^= 0x40
        self._kept[newest] = bytes(octets[: chance.choice((place, len(octets)))])

    def _open(self, path: Path) -> BinaryIO:
        return io.BytesIO(self._kept[int(path.name)])

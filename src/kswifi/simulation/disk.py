"""A journal on a simulated disk, which loses or tears unsynchronised data when the power fails."""

import struct
from queue import SimpleQueue
from typing import Final
from zlib import crc32

from kswifi.ledger.errors import LedgerClosedError, LedgerDamagedError, LedgerLockedError
from kswifi.ledger.storage.journal import GENESIS, Head, Record, base_of

_FRAME: Final = struct.Struct(">IIQ16s")
"""The frame header: octets of the payload, its CRC-32, the record's sequence and digest."""
_PATIENCE_SECONDS: Final = 30.0


class SimulatedDisk:
    """Stores records as frames of octets. The writer's append blocks until the simulation decides how it ends.

    A torn tail belongs to a record that was never acknowledged; the next opening drops it. A fault anywhere else is
    damage.
    """

    def __init__(self) -> None:
        self.octets = bytearray()
        """The octets on the disk."""
        self._records: list[Record] = []
        self._asked: SimpleQueue[Record] = SimpleQueue()
        self._verdicts: SimpleQueue[Exception | None] = SimpleQueue()
        self.acknowledged = 0
        """The newest sequence whose append returned."""
        self._is_open = False

    def open(self) -> Head:
        """Read the surviving records."""
        if self._is_open:
            raise LedgerLockedError("another process uses this disk")
        self._is_open = True
        self._records, place = [], 0
        while place < len(self.octets):
            record, end = self._read(place)
            if record is None:
                del self.octets[place:]
                break
            self._records.append(record)
            place = end
        return self.head()

    def head(self) -> Head:
        """Return the head of the journal."""
        last = self._records[-1] if self._records else Record(0, b"", GENESIS)
        return Head(last.sequence, last.digest)

    def append(self, record: Record) -> None:
        """Write the record and wait for the synchronisation; called by the ledger's writer thread."""
        self._require_open()
        last = self._records[-1].sequence if self._records else 0
        if record.sequence != last + 1:
            raise LedgerDamagedError(f"record {record.sequence} does not follow {last}", sequence=record.sequence)
        self._asked.put(record)
        verdict = self._verdicts.get()
        if verdict is not None:
            raise verdict

    def read(self, after_sequence: int, limit: int) -> list[Record]:
        """Return at most ``limit`` records after a sequence."""
        first = self._records[0].sequence if self._records else 1
        begin = max(0, after_sequence - first + 1)
        return self._records[begin : begin + limit]

    def base(self) -> Head:
        """Return the head to follow the journal from."""
        return base_of(self._records[0] if self._records else None)

    def prune(self, before: int, limit: int) -> int:
        """Drop whole frames at the beginning."""
        self._require_open()
        count = 0
        while count < min(limit, len(self._records) - 1) and self._records[count].sequence < before:
            count += 1
        place = 0
        for _ in range(count):
            _, place = self._read(place)
        del self.octets[:place]
        del self._records[:count]
        return count

    def close(self) -> None:
        """Release the disk for the next process."""
        self._is_open = False

    def _require_open(self) -> None:
        if not self._is_open:
            raise LedgerClosedError("this disk is not open")

    def finish(
        self, kept: float = 1.0, failure: Exception | None = None, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        """End the append in progress: keep a fraction of its octets, then let it return or raise.

        Args:
            kept: the fraction of the frame that stays on the disk.
            failure: the error that the append raises; None lets it return.
            patience_seconds: the longest real time to wait for the writer thread.
        """
        record = self._asked.get(timeout=patience_seconds)
        frame = (
            _FRAME.pack(len(record.payload), crc32(record.payload), record.sequence, record.digest) + record.payload
        )
        self.octets += frame[: int(len(frame) * kept)]
        if failure is None:
            self._records.append(record)
            self.acknowledged = record.sequence
        self._verdicts.put(failure)

    def _read(self, place: int) -> tuple[Record | None, int]:
        """Return the record at an offset and its end; None if the rest is a torn tail."""
        if place + _FRAME.size > len(self.octets):
            return None, len(self.octets)
        length, checksum, sequence, digest = _FRAME.unpack_from(self.octets, place)
        end = place + _FRAME.size + length
        payload = bytes(self.octets[place + _FRAME.size : end])
        if len(payload) < length:
            return None, len(self.octets)
        if crc32(payload) != checksum:
            raise LedgerDamagedError(f"record {sequence} is altered", sequence=sequence)
        return Record(sequence, payload, digest), end

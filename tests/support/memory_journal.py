"""A journal in memory: a crash is an object that is dropped, its records are opened again."""

from threading import Lock

from kswifi.ledger.errors import LedgerClosedError, LedgerDamagedError, LedgerLockedError
from kswifi.ledger.storage.journal import Head, Record, base_of


class MemoryJournal:
    """Keeps records as long as the object lives; what it loses with the process, it never claims to keep."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._open = False
        self._lock = Lock()

    def open(self) -> Head:
        """Become the owner."""
        with self._lock:
            if self._open:
                raise LedgerLockedError("this journal is in use")
            self._open = True
            return Head(self.records[-1].sequence, self.records[-1].digest) if self.records else Head()

    def append(self, record: Record) -> None:
        """Keep the record."""
        with self._lock:
            if not self._open:
                raise LedgerClosedError("this journal is not open")
            last = self.records[-1].sequence if self.records else 0
            if record.sequence != last + 1:
                raise LedgerDamagedError(
                    f"record {record.sequence} does not follow {last}", sequence=record.sequence
                )
            self.records.append(record)

    def read(self, after_sequence: int, limit: int) -> list[Record]:
        """Return records after the sequence."""
        with self._lock:
            return [it for it in self.records if it.sequence > after_sequence][:limit]

    def base(self) -> Head:
        """Return where following it has to begin."""
        with self._lock:
            return base_of(self.records[0] if self.records else None)

    def prune(self, before: int, limit: int) -> int:
        """Drop the oldest records before a sequence."""
        with self._lock:
            if not self._open:
                raise LedgerClosedError("this journal is not open")
            old = sum(it.sequence < before for it in self.records[:-1][:limit])
            del self.records[:old]
            return old

    def close(self) -> None:
        """Give it up."""
        with self._lock:
            self._open = False

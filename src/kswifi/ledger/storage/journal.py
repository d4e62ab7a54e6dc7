"""The journal: the ledger's source of truth. A batch is one record, durable before any of its outcomes is answered.

A record's payload is a version octet and a MessagePack array ``[at, effects]``. Its digest covers the digest of
the record before it, its own sequence and its payload, so that an altered, missing or misplaced record is found.
Sequences begin at 1 and have no gaps. Pruning removes records at the beginning only, and only records whose result
is in a snapshot.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from kswifi.ledger.effects import Effect
from kswifi.ledger.errors import LedgerDamagedError, LedgerVersionError

VERSION: Final = 1
DIGEST_SIZE: Final = 16
GENESIS: Final = bytes(DIGEST_SIZE)
"""The digest that the first record is chained to."""

READ_RECORDS: Final = 256
"""Records read at once while the journal is followed."""


class Record(msgspec.Struct, frozen=True):
    """One batch in its stored form."""

    sequence: int
    payload: bytes
    digest: bytes


class Head(msgspec.Struct, frozen=True):
    """The end of a journal: its last record, or the genesis."""

    sequence: int = 0
    digest: bytes = GENESIS


class Journal(Protocol):
    """Stores records in sequence. One owner appends; others may read at the same time.

    Every implementation passes ``tests/contract/test_journal.py``.
    """

    def open(self) -> Head:
        """Lock the journal and return its head; create the journal if there is none.

        Raises:
            LedgerLockedError: another owner is alive.
            LedgerDamagedError: it cannot be read, or it lost or changed acknowledged records.
        """
        ...

    def append(self, record: Record) -> None:
        """Store the record and return once it is durable. Called by one thread only.

        After LedgerFullError the record is known not to be stored: the owner appends the same record again later.
        Any other error is final for the owner: only opening the journal again shows whether the record was stored.
        """
        ...

    def read(self, after_sequence: int, limit: int) -> list[Record]:
        """Return at most ``limit`` records after a sequence, oldest first. Callable from any thread.

        Raises:
            LedgerDamagedError: they cannot be read, or are not in sequence.
        """
        ...

    def base(self) -> Head:
        """Return the head to follow the journal from: the genesis, or the first record of a pruned journal."""
        ...

    def prune(self, before: int, limit: int) -> int:
        """Drop at most ``limit`` records before a sequence, oldest first; return how many were dropped.

        Called by the thread that appends. The last record is never dropped.

        Raises:
            LedgerFullError: the disk is full; nothing was dropped.
        """
        ...

    def close(self) -> None:
        """Release the journal. Idempotent."""
        ...


class _Body(msgspec.Struct, array_like=True, gc=False):
    at: int
    effects: tuple[Effect, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Body)


def next_record(head: Head, at: int, effects: Sequence[Effect]) -> Record:
    """Build the record with these effects that follows the head."""
    payload = bytes((VERSION,)) + _encoder.encode((at, effects))
    sequence = head.sequence + 1
    return Record(sequence, payload, digest_of(head.digest, sequence, payload))


def digest_of(before: bytes, sequence: int, payload: bytes) -> bytes:
    """Return the digest that chains a record to the one before it."""
    digest = blake2b(before, digest_size=DIGEST_SIZE)
    digest.update(sequence.to_bytes(8, "big"))
    digest.update(payload)
    return digest.digest()


def effects_of(record: Record) -> tuple[Effect, ...]:
    """Decode the effects of a record.

    Raises:
        LedgerVersionError: a newer version wrote it.
        LedgerDamagedError: it cannot be decoded.
    """
    return _body_of(record).effects


def effects_after(journal: Journal, after_sequence: int, limit: int) -> list[tuple[int, tuple[Effect, ...]]]:
    """Return the effects of at most ``limit`` records after a sequence.

    Raises:
        LedgerDamagedError: records in that range were pruned; that happens only after all followers read them.
    """
    records = journal.read(after_sequence, limit)
    if records and records[0].sequence != after_sequence + 1:
        raise LedgerDamagedError(
            f"the journal begins with record {records[0].sequence}, and {after_sequence + 1} is asked for",
            sequence=after_sequence + 1,
        )
    return [(it.sequence, effects_of(it)) for it in records]


def _body_of(record: Record) -> _Body:
    version = record.payload[0] if record.payload else 0
    if version > VERSION:
        raise LedgerVersionError(
            f"record {record.sequence} has version {version}; this KSWiFi reads up to {VERSION}",
            sequence=record.sequence,
            version=version,
        )
    try:
        return _decoder.decode(memoryview(record.payload)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LedgerDamagedError(
            f"record {record.sequence} of the journal cannot be understood: {error}", sequence=record.sequence
        ) from error


def instant_of(record: Record) -> int:
    """Return when a record's batch was applied, in Unix seconds; raises as ``effects_of``."""
    return _body_of(record).at


def base_of(first: Record | None) -> Head:
    """Return the head to follow a journal from whose first record is ``first``."""
    return Head() if first is None or first.sequence == 1 else Head(first.sequence, first.digest)


def follow(journal: Journal, head: Head, until: int | None = None) -> Iterator[Record]:
    """Yield the records after a head, each checked against the digest and the sequence of the one before it.

    Raises:
        LedgerDamagedError: a record is missing or altered.
    """
    sequence, digest = head.sequence, head.digest
    while until is None or sequence < until:
        limit = READ_RECORDS if until is None else min(READ_RECORDS, until - sequence)
        records = journal.read(sequence, limit)
        if not records:
            return
        for record in records:
            if record.sequence != sequence + 1:
                raise LedgerDamagedError(
                    f"the journal goes from record {sequence} to {record.sequence}: records are missing",
                    sequence=sequence + 1,
                )
            if record.digest != digest_of(digest, record.sequence, record.payload):
                raise LedgerDamagedError(
                    f"record {record.sequence} of the journal is not what was written: its digest is wrong",
                    sequence=record.sequence,
                )
            sequence, digest = record.sequence, record.digest
            yield record

"""The journal: the ledger's only truth. One record a batch, durable before a single answer of it is given.

A record's payload is a version octet and a MessagePack array ``[at, effects]``. Its digest covers the digest of
the record before it, its own sequence and its payload, so a record that is altered, missing, or out of its place
is found, wherever it is. Sequences begin at 1 and have no gaps. Pruning takes records away at the beginning alone,
where a snapshot tells what they came to.
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
"""The digest before the first record."""

READ_RECORDS: Final = 256
"""Records read at once while going through a journal."""


class Record(msgspec.Struct, frozen=True):
    """One batch, as it is stored."""

    sequence: int
    payload: bytes
    digest: bytes


class Head(msgspec.Struct, frozen=True):
    """Where a journal stands: its last record, or the genesis."""

    sequence: int = 0
    digest: bytes = GENESIS


class Journal(Protocol):
    """Keeps records in sequence. One owner appends; others may read meanwhile.

    Every implementation passes ``tests/contract/test_journal.py``.
    """

    def open(self) -> Head:
        """Become the owner and return where the journal stands, making it where there is none.

        Raises:
            LedgerLockedError: another owner is alive.
            LedgerDamagedError: it is not what was acknowledged, or cannot be read.
        """
        ...

    def append(self, record: Record) -> None:
        """Keep the record, and return only when it is durable. Called by one thread.

        Any error is final for the owner: whether the record is there is known only after opening again.
        """
        ...

    def read(self, after_sequence: int, limit: int) -> list[Record]:
        """Return the records after a sequence, oldest first; from any thread.

        Raises:
            LedgerDamagedError: they cannot be read, or do not follow one another.
        """
        ...

    def base(self) -> Head:
        """Return where following it has to begin: the genesis, or its first record once it was pruned."""
        ...

    def prune(self, before: int, limit: int) -> int:
        """Drop records before a sequence, the oldest first and at most ``limit``; return how many went.

        Called by the thread that appends. The last record stays, whatever is asked.
        """
        ...

    def close(self) -> None:
        """Give it up; a second time does nothing."""
        ...


class _Body(msgspec.Struct, array_like=True, gc=False):
    at: int
    effects: tuple[Effect, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Body)


def next_record(head: Head, at: int, effects: Sequence[Effect]) -> Record:
    """Return the record that follows the head with these effects."""
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
    """Return the effects that a record holds.

    Raises:
        LedgerVersionError: newer code wrote it.
        LedgerDamagedError: it cannot be understood.
    """
    return _body_of(record).effects


def effects_after(journal: Journal, after_sequence: int, limit: int) -> list[tuple[int, tuple[Effect, ...]]]:
    """Return the effects of the records after a sequence, at most ``limit`` records.

    Raises:
        LedgerDamagedError: they were pruned, which they are only once everybody has read them.
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
    """Return when its batch was applied, in Unix seconds; raises as ``effects_of``."""
    return _body_of(record).at


def base_of(first: Record | None) -> Head:
    """Return where following a journal has to begin that begins with this record."""
    return Head() if first is None or first.sequence == 1 else Head(first.sequence, first.digest)


def follow(journal: Journal, head: Head, until: int | None = None) -> Iterator[Record]:
    """Go through the records after a head, each checked against the one before it.

    Raises:
        LedgerDamagedError: one is missing or altered.
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

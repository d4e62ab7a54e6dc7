"""Prune the journal: find and drop the records that are no longer needed.

A record may be dropped once it is older than the retention, two intact snapshots include its effects (two, because
one may be damaged later), and all followers of the journal have read it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from kswifi.ledger.storage.journal import Journal, instant_of
from kswifi.ledger.storage.snapshot import KEEP, SnapshotStore

AT_ONCE: Final = 64
"""Records dropped between two appends; it takes about as long as one append."""
IN_A_ROW: Final = 16_384
"""Records dropped for one examination of the snapshots."""


async def prune_journal(
    journal: Journal,
    snapshots: SnapshotStore,
    read_until: int,
    since: int,
    some: Callable[[int, int], Awaitable[int]],
) -> int:
    """Drop records that are no longer needed, a few at a time; return how many, 0 when none is left to drop.

    Args:
        journal: the journal, which may be read from any thread.
        snapshots: its snapshots.
        read_until: the sequence that all followers of the journal have read.
        since: Unix seconds; records from then on are kept.
        some: drops at most n records before a sequence, in the thread that appends.
    """
    before = await asyncio.to_thread(prunable_before, journal, snapshots, read_until, since)
    pruned, more = 0, before > 1
    while more and pruned < IN_A_ROW:
        count = await some(before, AT_ONCE)
        pruned += count
        more = count == AT_ONCE
    return pruned


def prunable_before(journal: Journal, snapshots: SnapshotStore, read_until: int, since: int) -> int:
    """Return the sequence before which all records may be dropped; 0 or the journal's first sequence if none may.

    Args:
        journal: the journal, from which only single records are read.
        snapshots: its snapshots, whose digests are checked.
        read_until: the sequence that all followers of the journal have read.
        since: Unix seconds; records from then on are kept.
    """
    heads = [head for path in snapshots.paths() if (head := snapshots.whole(path)) is not None]
    if len(heads) < KEEP:
        return 0
    until = min(read_until, *(head.sequence for head in heads))
    first = max(1, journal.base().sequence)
    return _first_where(lambda sequence: _instant_at(journal, sequence) >= since, first, until)


def _instant_at(journal: Journal, sequence: int) -> int:
    records = journal.read(sequence - 1, 1)
    return instant_of(records[0])


def _first_where(is_so: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first number in low..high for which ``is_so`` holds, else ``high`` (binary search).

    From the first number on that satisfies it, all have to satisfy it.
    """
    while low < high:
        middle = (low + high) // 2
        if is_so(middle):
            high = middle
        else:
            low = middle + 1
    return low

"""Which records of a journal nobody needs any more.

A record may go once it is old enough, two whole snapshots know what it came to (one may still be damaged later),
and everybody who follows the journal has read it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from kswifi.ledger.storage.journal import Journal, instant_of
from kswifi.ledger.storage.snapshot import KEEP, SnapshotStore

AT_ONCE: Final = 64
"""Records dropped between two appends; it takes about as long as one of them."""
IN_A_ROW: Final = 16_384
"""Records dropped for one look at the snapshots."""


async def prune_journal(
    journal: Journal,
    snapshots: SnapshotStore,
    read_until: int,
    since: int,
    some: Callable[[int, int], Awaitable[int]],
) -> int:
    """Drop what may go, a few records at a time; return how many, 0 when it is through.

    Args:
        journal: the journal, from any thread.
        snapshots: its snapshots.
        read_until: the sequence that all who follow it have read.
        since: the Unix second from which on records are kept.
        some: drops records before a sequence, at most so many, in the thread that appends.
    """
    before = await asyncio.to_thread(prunable_before, journal, snapshots, read_until, since)
    pruned, more = 0, before > 1
    while more and pruned < IN_A_ROW:
        count = await some(before, AT_ONCE)
        pruned += count
        more = count == AT_ONCE
    return pruned


def prunable_before(journal: Journal, snapshots: SnapshotStore, read_until: int, since: int) -> int:
    """Return the sequence before which all records may go; 0 or the journal's first if none may.

    Args:
        journal: the journal, from which only single records are read.
        snapshots: its snapshots, whose digests are checked.
        read_until: the sequence that all who follow it have read.
        since: the Unix second from which on records are kept.
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
    """Return the first number in low..high for which it is so, or else ``high``: they follow one another."""
    while low < high:
        middle = (low + high) // 2
        if is_so(middle):
            high = middle
        else:
            low = middle + 1
    return low

"""Check the ledger's files for damage: every record's digest, the file's structure, the head, and each snapshot.

A check reads only, works while the ledger is in use, and keeps no state of the ledger in memory. ``inspect.verify``
checks more (the sums of the state), and needs the memory for it.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from kswifi.ledger.errors import LedgerDamagedError
from kswifi.ledger.storage.child import run_module
from kswifi.ledger.storage.journal import GENESIS, READ_RECORDS, Head, follow, instant_of
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import FILE_NAME, SqliteJournalReader, acknowledged_head

_NICENESS: Final = 10
_RECORD_OCTETS: Final = 32
"""What a record takes in the file in addition to its payload."""

Pause: TypeAlias = Callable[[int], None]


class JournalCheck(msgspec.Struct, frozen=True):
    """The result of a check of the journal."""

    base: Head
    """Where the check began; behind the genesis for a pruned journal."""
    end: Head
    at: int | None
    """When the last record was written, in Unix seconds; None for an empty journal."""
    records: int
    damage: tuple[str, ...]


class LedgerCheck(msgspec.Struct, frozen=True):
    """The result of a check of all files of the ledger."""

    sequence: int
    records: int
    damage: tuple[str, ...]
    """Damage that cannot be repaired from the other files, in words."""
    damaged_snapshots: tuple[str, ...]
    """Snapshots that the next start passes over, because older files hold the same."""


def check_ledger(directory: Path, octets_per_second: int = 0) -> LedgerCheck:
    """Check the journal and the snapshots of a ledger.

    Args:
        directory: the ledger's folder.
        octets_per_second: how fast the files are read; 0 for no limit.
    """
    pause = _pauses(octets_per_second)
    sound, damaged = check_snapshots(directory, pause)  # first: the journal of a ledger in use only grows meanwhile
    journal = check_journal(directory, acknowledged_of(directory), pause)
    if isinstance(journal, str):
        return LedgerCheck(0, 0, (journal,), tuple(damaged))
    damage = [*journal.damage, *missing_beginning(journal, sound)]
    return LedgerCheck(journal.end.sequence, journal.records, tuple(damage), tuple(damaged))


def acknowledged_of(directory: Path) -> Head | str:
    """Return the last acknowledged record, or the damage of the head file in words."""
    try:
        return acknowledged_head(directory)
    except LedgerDamagedError as error:
        return error.message


def check_journal(directory: Path, known: Head | str, pause: Pause | None = None) -> JournalCheck | str:
    """Check the structure of the file and the digest of every record.

    If the records cannot be read to their end, the damage is returned in words.

    Args:
        directory: the folder of the journal.
        known: the last record that is known to be acknowledged, or the damage of the file that says so.
        pause: called with each number of octets that were read.
    """
    damage = [known] if isinstance(known, str) else []
    try:
        journal = SqliteJournalReader(directory)
    except LedgerDamagedError as error:
        return error.message
    try:
        end, base = journal.open(), journal.base()
        head, at, records = base, None, 0
        for record in journal.read(base.sequence - 1, 1) if base.sequence else ():
            at, records = instant_of(record), 1  # its digest covers a record that was pruned
        while head.sequence < end.sequence:
            octets = 0
            try:
                for record in follow(journal, head, min(head.sequence + READ_RECORDS, end.sequence)):
                    head, at = Head(record.sequence, record.digest), instant_of(record)
                    octets, records = octets + len(record.payload) + _RECORD_OCTETS, records + 1
            except LedgerDamagedError:
                pruned = journal.base()
                if pruned.sequence <= head.sequence:
                    raise
                head = pruned  # the ledger is in use, and dropped records that are in its snapshots
            if pause is not None:
                pause(octets)
        if isinstance(known, Head):
            damage += _differs(journal, known, end)
        damage += _structure(directory / FILE_NAME)
        return JournalCheck(base, end, at, records, tuple(damage))
    except LedgerDamagedError as error:
        return error.message
    finally:
        journal.close()


def check_snapshots(directory: Path, pause: Pause | None = None) -> tuple[list[Head], list[str]]:
    """Return the heads of the sound snapshots, and the names of the damaged ones."""
    store, sound, damaged = SnapshotStore(directory), list[Head](), list[str]()
    for path in store.paths():
        head = store.whole(path)
        if head is not None:
            sound.append(head)
            if pause is not None:
                pause(path.stat().st_size if path.exists() else 0)
        elif path.exists():  # else a newer one has replaced it
            damaged.append(path.name)
    return sound, damaged


def missing_beginning(journal: JournalCheck, snapshots: list[Head]) -> list[str]:
    """Return the damage of a pruned journal without a sound snapshot, and of one that is behind a snapshot."""
    damage = []
    if journal.base.digest != GENESIS and not any(it.sequence >= journal.base.sequence for it in snapshots):
        damage.append(
            f"the journal begins with record {journal.base.sequence}, and no sound snapshot holds what came before"
        )
    damage += [
        f"the snapshot at record {it.sequence} is ahead of the journal, which ends with {journal.end.sequence}"
        for it in snapshots
        if it.sequence > journal.end.sequence
    ]
    return damage


async def check_in_child(directory: Path, octets_per_second: int) -> LedgerCheck:
    """Check the ledger in a separate process with a low priority.

    Raises:
        LedgerError: the process failed.
    """
    output = await run_module(__name__, str(directory), str(octets_per_second))
    return msgspec.json.decode(output, type=LedgerCheck)


def _differs(journal: SqliteJournalReader, known: Head, end: Head) -> list[str]:
    """Return the damage of a journal that does not hold the acknowledged record."""
    if known.sequence > end.sequence:
        return [f"the journal ends with record {end.sequence}, but record {known.sequence} was acknowledged"]
    digest = GENESIS
    for record in journal.read(known.sequence - 1, 1) if known.sequence else ():
        digest = record.digest
    return [] if digest == known.digest else [f"record {known.sequence} is not the one that was acknowledged"]


def _structure(path: Path) -> list[str]:
    """Return what SQLite's quick check finds: damage that no record shows, such as of the list of free pages."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)")]
    except sqlite3.Error as error:
        findings = [str(error)]
    finally:
        connection.close()
    return [] if findings == ["ok"] else [f"{path.name}: {finding}" for finding in findings]


def _pauses(octets_per_second: int) -> Pause | None:
    if not octets_per_second:
        return None
    return lambda octets: time.sleep(octets / octets_per_second)


if __name__ == "__main__":
    os.nice(_NICENESS)
    sys.stdout.buffer.write(msgspec.json.encode(check_ledger(Path(sys.argv[1]), int(sys.argv[2]))))

"""Look into a journal for the effects that concern one thing."""

from pathlib import Path

import msgspec

from kswifi.ledger.effects import Answered, Effect
from kswifi.ledger.storage.journal import effects_of, follow
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader


def history(directory: Path, identifier: str, limit: int) -> list[tuple[int, Effect]]:
    """Return the last effects that name a wallet, an account or a reservation, each with its record's sequence."""
    journal = SqliteJournalReader(directory)
    found: list[tuple[int, Effect]] = []
    try:
        for record in follow(journal, journal.base(), journal.open().sequence):
            found += [
                (record.sequence, effect)
                for effect in effects_of(record)
                if not isinstance(effect, Answered) and identifier in msgspec.structs.astuple(effect)
            ]
            del found[:-limit]
    finally:
        journal.close()
    return found

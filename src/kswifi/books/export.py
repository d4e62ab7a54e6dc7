"""Export of the book as CSV (one row per line of an entry) and as JSON Lines (one object per entry)."""

import csv
import json
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Final, TextIO

from kswifi.books.model import BookEntry
from kswifi.books.service import PAGE, entries_after
from kswifi.database.engine import Database

COLUMNS: Final = ("number", "reference", "kind", "at", "recorded_at", "account", "account_class", "amount_kobo")


async def export_csv(database: Database, out: TextIO) -> int:
    """Write every line, after its entry's columns; return the number of entries."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    async for entry in _entries(database):
        head = (entry.number, entry.reference, entry.kind, _text(entry.at), _text(entry.recorded_at))
        for account, amount_kobo in entry.lines:
            writer.writerow((*head, str(account), str(account.account_class), amount_kobo))
        count += 1
    return count


async def export_json_lines(database: Database, out: TextIO) -> int:
    """Write one JSON object per entry, with its lines; return the number of entries."""
    count = 0
    async for entry in _entries(database):
        whole = {
            "number": entry.number,
            "reference": entry.reference,
            "kind": entry.kind,
            "at": _text(entry.at),
            "recorded_at": _text(entry.recorded_at),
            "lines": [{"account": str(account), "amount_kobo": amount} for account, amount in entry.lines],
        }
        out.write(json.dumps(whole, ensure_ascii=False) + "\n")
        count += 1
    return count


async def _entries(database: Database) -> AsyncIterator[BookEntry]:
    """Yield all entries, one page per read. Entries are never changed, and new ones come at the end."""
    number = 0
    while True:
        page = await database.read(partial(entries_after, number=number))
        for entry in page:
            yield entry
        if len(page) < PAGE:
            return
        number = page[-1].number


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")

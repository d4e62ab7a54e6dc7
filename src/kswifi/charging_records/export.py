"""Export charging data records as CSV and as JSON Lines."""

import csv
import json
from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any, Final, TextIO

from kswifi.charging_records.model import ChargingDataRecord, HourUsage
from kswifi.charging_records.service import PAGE, RecordFilter, find_records, hours_of
from kswifi.database.engine import Database
from kswifi.diameter.messages.location import describe_location
from kswifi.kernel.clock import from_unix_seconds

_RAT_TYPES: Final = {
    1: "UTRAN",
    2: "GERAN",
    3: "WLAN",
    4: "GAN",
    5: "HSPA-Evolution",
    6: "EUTRAN",
    7: "Virtual",
    8: "EUTRAN-NB-IoT",
    9: "LTE-M",
    10: "NR",
}
"""3GPP-RAT-Type (TS 29.061, 16.4.7.2)."""

_HIDDEN: Final = ("hours", "open_reservations")
_KEPT: Final = tuple(it.name for it in fields(ChargingDataRecord) if it.name not in _HIDDEN)
_LOCATIONS: Final = {"user_location": "location", "last_user_location": "last_location"}
"""Columns with raw octets, and the columns with the same location in words."""
COLUMNS: Final = (*_KEPT, *_LOCATIONS.values())
HOUR_COLUMNS: Final = tuple(it.name for it in fields(HourUsage))


def record_fields(record: ChargingDataRecord) -> dict[str, Any]:
    """Return the exported fields of a record.

    Instants are RFC 3339 in UTC, radio access types are names, locations appear in words next to their octets;
    all other values are unchanged.
    """
    found = {name: getattr(record, name) for name in _KEPT}
    for name in ("opened_at", "last_at", "closed_at"):
        found[name] = _instant(found[name])
    for name in ("rat_type", "last_rat_type"):
        found[name] = _RAT_TYPES.get(found[name], found[name])
    for octets, words in _LOCATIONS.items():
        found[words] = None if found[octets] is None else describe_location(bytes.fromhex(found[octets]))
    return found


def hour_fields(hour: HourUsage) -> dict[str, Any]:
    """Return the exported fields of an hour."""
    return {name: getattr(hour, name) for name in HOUR_COLUMNS} | {"hour_at": _instant(hour.hour_at)}


async def export_json_lines(database: Database, wanted: RecordFilter, out: TextIO) -> int:
    """Write one JSON object per record, with its hours; return how many records."""
    count = 0
    async for record, hours in _with_hours(database, wanted):
        whole = record_fields(record) | {"hours": [hour_fields(it) for it in hours]}
        out.write(json.dumps(whole, ensure_ascii=False) + "\n")
        count += 1
    return count


async def export_csv(database: Database, wanted: RecordFilter, out: TextIO, *, hourly: bool = False) -> int:
    """Write one line per record, or with ``hourly`` one per record and hour; return how many records.

    A text that a spreadsheet would read as a formula gets an apostrophe before it.
    """
    writer = csv.writer(out, lineterminator="\n")
    # With ``hourly``, the sums of a record would repeat on each of its lines and be counted twice: leave them
    # out.
    columns = tuple(name for name in COLUMNS if name not in HOUR_COLUMNS) if hourly else COLUMNS
    writer.writerow((*columns, *HOUR_COLUMNS) if hourly else columns)
    count = 0
    if not hourly:
        async for record in find_records(database, wanted):
            writer.writerow([_cell(value) for value in record_fields(record).values()])
            count += 1
        return count
    async for record, hours in _with_hours(database, wanted):
        shown = record_fields(record)
        head = [_cell(shown[name]) for name in columns]
        for hour in hours:
            writer.writerow([*head, *(_cell(value) for value in hour_fields(hour).values())])
        count += 1
    return count


async def _with_hours(
    database: Database, wanted: RecordFilter
) -> AsyncIterator[tuple[ChargingDataRecord, list[HourUsage]]]:
    page: list[ChargingDataRecord] = []
    async for record in find_records(database, wanted):
        page.append(record)
        if len(page) == PAGE:
            async for one in _page_with_hours(database, page):
                yield one
            page = []
    async for one in _page_with_hours(database, page):
        yield one


async def _page_with_hours(
    database: Database, page: list[ChargingDataRecord]
) -> AsyncIterator[tuple[ChargingDataRecord, list[HourUsage]]]:
    hours = await hours_of(database, [record.session_id for record in page])
    for record in page:
        yield record, hours[record.session_id]


def _instant(seconds: int | None) -> str | None:
    return None if seconds is None else from_unix_seconds(seconds).isoformat().replace("+00:00", "Z")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value

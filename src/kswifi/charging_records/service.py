"""Queries of charging data records, and their pruning."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, or_, select, tuple_
from sqlalchemy.engine import Row

from kswifi.charging_records.errors import UNKNOWN_CHARGING_RECORD
from kswifi.charging_records.model import ChargingDataRecord, HourUsage
from kswifi.charging_records.sql import charging_data_record, charging_hour
from kswifi.charging_records.store import hour_of, record_of
from kswifi.database.engine import Database, transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.kernel.pages import FIRST_PAGE, Page, PageRequest

PAGE: Final = 500
PRUNED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Statement:
    """The usage of an internet session: the octets of all its hours, and a page of the hours with usage.

    The oldest hour comes first.
    """

    octets: int
    hours: Page[HourUsage]


_hour = charging_hour.c
_STATEMENT_HOURS: Final = PagedQuery(
    select(
        _hour.hour_at,
        _hour.account_id,
        *(
            func.sum(_hour[name]).label(name)
            for name in ("octets", "overrun_octets", "input_octets", "output_octets", "seconds")
        ),
    )
    .where(_hour.account_id == bindparam("wanted"))
    .group_by(_hour.hour_at, _hour.account_id),
    _hour.hour_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Which records to return. None means no condition.

    ``since`` and ``until`` select records that were open in that period.
    """

    imsi: str | None = None
    apn: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    closed: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the filter as SQL conditions."""
        c = charging_data_record.c
        found: list[ColumnElement[bool]] = []
        if self.imsi is not None:
            found.append(c.imsi == self.imsi)
        if self.apn is not None:
            found.append(c.apn == self.apn)
        if self.since is not None:
            found.append(or_(c.closed_at.is_(None), c.closed_at >= self.since))
        if self.until is not None:
            found.append(c.opened_at < self.until)
        if self.closed is not None:
            found.append(c.closed_at.is_not(None) if self.closed else c.closed_at.is_(None))
        return found


async def find_records(
    database: Database, wanted: RecordFilter, limit: int | None = None
) -> AsyncIterator[ChargingDataRecord]:
    """Yield records in the order of their opening, read page by page, so that any number fits into memory."""
    c = charging_data_record.c
    after: tuple[datetime, str] | None = None
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        query = select(charging_data_record).where(*wanted.conditions())
        if after is not None:
            query = query.where(tuple_(c.opened_at, c.session_id) > after)
        rows = await database.read(partial(_rows, query=query.order_by(c.opened_at, c.session_id).limit(size)))
        for row in rows:
            yield record_of(row)
        if len(rows) < size:
            return
        after = (rows[-1].opened_at, rows[-1].session_id)
        left = None if left is None else left - size


async def get_record(database: Database, session_id: str) -> ChargingDataRecord:
    """Return the record of a ChargingSession, with its hours.

    Raises:
        UNKNOWN_CHARGING_RECORD: there is none.
    """
    query = select(charging_data_record).where(charging_data_record.c.session_id == session_id)
    row = await database.read(lambda connection: connection.execute(query).one_or_none())
    if row is None:
        raise UNKNOWN_CHARGING_RECORD("no record of this ChargingSession", session_id=session_id)
    record = record_of(row)
    record.hours = {(it.hour_at, it.account_id): it for it in (await hours_of(database, [session_id]))[session_id]}
    return record


async def hours_of(database: Database, session_ids: Collection[str]) -> dict[str, list[HourUsage]]:
    """Return the hours of a page of ChargingSessions, by Session-Id, each in the order of time."""
    c = charging_hour.c
    query = select(charging_hour).where(c.session_id.in_(session_ids)).order_by(c.hour_at, c.account_id)
    found: dict[str, list[HourUsage]] = {session_id: [] for session_id in session_ids}

    for row in await database.read(lambda connection: connection.execute(query).all()):
        found[row.session_id].append(hour_of(row))
    return found


async def statement_of(database: Database, account_id: str, page: PageRequest = FIRST_PAGE) -> Statement:
    """Return the statement of an internet session, with a page of its hours."""
    c = charging_hour.c
    total = select(func.sum(c.octets)).where(c.account_id == account_id)

    def look(connection: Connection) -> Statement:
        hours = _STATEMENT_HOURS.read(connection, page, hour_of, wanted=account_id)
        return Statement(int(connection.scalar(total) or 0), hours)

    return await database.read(look)


async def prune_records(database: Database, retention: timedelta) -> int:
    """Delete a batch of records that closed longer ago than the retention, with their hours; return how many."""
    c = charging_data_record.c

    def prune(connection: Connection) -> int:
        before = transaction_instant(connection) - retention
        old = select(c.session_id).where(c.closed_at < before).order_by(c.closed_at).limit(PRUNED_AT_ONCE)
        ids = connection.execute(old).scalars().all()
        if ids:
            connection.execute(delete(charging_hour).where(charging_hour.c.session_id.in_(ids)))
            connection.execute(delete(charging_data_record).where(c.session_id.in_(ids)))
        return len(ids)

    return await database.write(prune, alone=True)


def _rows(connection: Connection, query: Select[Any]) -> Sequence[Row[Any]]:
    return connection.execute(query).all()

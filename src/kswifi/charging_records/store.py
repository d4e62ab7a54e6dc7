"""Records in their tables: read many, write many, in the caller's transaction."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.charging_records.model import ChargingDataRecord, HourUsage
from kswifi.charging_records.sql import (
    charging_data_record,
    charging_hour,
    charging_projection,
    charging_reservation,
)
from kswifi.kernel.clock import from_unix_seconds, unix_seconds

_AT_ONCE: Final = 1000
_NAME: Final = "charging_records"
_INSTANTS: Final = ("opened_at", "last_at", "closed_at")
_AMOUNTS: Final = ("octets", "overrun_octets", "input_octets", "output_octets", "seconds")


async def read_sequence(connection: AsyncConnection) -> int:
    """Return how far the journal was read."""
    query = select(charging_projection.c.sequence).where(charging_projection.c.name == _NAME)
    return int(await connection.scalar(query) or 0)


async def write_sequence(connection: AsyncConnection, sequence: int) -> None:
    """Write how far the journal was read."""
    await connection.execute(
        insert(charging_projection)
        .values(name=_NAME, sequence=sequence)
        .on_conflict_do_update(index_elements=["name"], set_={"sequence": sequence})
    )


async def read_reservations(connection: AsyncConnection, ids: Collection[str]) -> dict[str, str]:
    """Return the Session-Ids of reservations, as far as they are known."""
    found: dict[str, str] = {}
    for some in _pieces(ids):
        query = select(charging_reservation).where(charging_reservation.c.reservation_id.in_(some))
        found.update({it.reservation_id: it.session_id for it in await connection.execute(query)})
    return found


async def write_reservations(connection: AsyncConnection, reservations: dict[str, str]) -> None:
    """Remember whose these reservations are."""
    if reservations:
        rows = [{"reservation_id": key, "session_id": value} for key, value in reservations.items()]
        await connection.execute(insert(charging_reservation).on_conflict_do_nothing(), rows)


async def forget_reservations(connection: AsyncConnection, ids: Collection[str]) -> None:
    """Forget reservations that the ledger forgot."""
    for some in _pieces(ids):
        await connection.execute(
            delete(charging_reservation).where(charging_reservation.c.reservation_id.in_(some))
        )


async def read_records(connection: AsyncConnection, session_ids: Collection[str]) -> dict[str, ChargingDataRecord]:
    """Return the records of ChargingSessions, without their hours, as far as they are there."""
    found: dict[str, ChargingDataRecord] = {}
    for some in _pieces(session_ids):
        query = select(charging_data_record).where(charging_data_record.c.session_id.in_(some))
        found.update({it.session_id: record_of(it) for it in await connection.execute(query)})
    return found


async def write_records(connection: AsyncConnection, records: Iterable[ChargingDataRecord]) -> None:
    """Write records as they are, and add what their hours hold to what is there."""
    rows, hours = [], []
    for record in records:
        rows.append(_record_row(record))
        hours += [_hour_row(record.session_id, hour) for hour in record.hours.values()]
    if rows:
        statement = insert(charging_data_record)
        new = {name: statement.excluded[name] for name in rows[0] if name != "session_id"}
        await connection.execute(statement.on_conflict_do_update(index_elements=["session_id"], set_=new), rows)
    if hours:
        statement = insert(charging_hour)
        sums = {name: charging_hour.c[name] + statement.excluded[name] for name in _AMOUNTS}
        key = ["session_id", "hour_at", "account_id"]
        await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=sums), hours)


def record_of(row: Row[Any]) -> ChargingDataRecord:
    """Return the record of a row."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    for name in _INSTANTS:
        values[name] = None if values[name] is None else unix_seconds(values[name])
    return ChargingDataRecord(**values)


def hour_of(row: Row[Any]) -> HourUsage:
    """Return the hour of a row; its Session-Id is left out."""
    values = {name: getattr(row, name) for name in ("account_id", *_AMOUNTS)}
    return HourUsage(hour_at=unix_seconds(row.hour_at), **values)


def _record_row(record: ChargingDataRecord) -> dict[str, Any]:
    row = {column.name: getattr(record, column.name) for column in charging_data_record.columns}
    for name in _INSTANTS:
        row[name] = None if row[name] is None else from_unix_seconds(row[name])
    return row


def _hour_row(session_id: str, hour: HourUsage) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "hour_at": from_unix_seconds(hour.hour_at),
        "account_id": hour.account_id,
        **{name: getattr(hour, name) for name in _AMOUNTS},
    }


def _pieces(ids: Collection[str]) -> Iterator[list[str]]:
    everything = list(ids)
    for start in range(0, len(everything), _AT_ONCE):
        yield everything[start : start + _AT_ONCE]

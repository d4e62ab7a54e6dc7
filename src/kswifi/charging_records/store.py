"""Read and write records in bulk, in the caller's transaction."""

from collections.abc import Collection, Iterable, Iterator
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, delete, select
from sqlalchemy.engine import Row

from kswifi.charging_records.model import ChargingDataRecord, HourUsage
from kswifi.charging_records.sql import (
    charging_data_record,
    charging_projection,
    charging_reservation,
)
from kswifi.database.dialect import insert, select_rows, upsert_rows
from kswifi.kernel.clock import unix_seconds

_AT_ONCE: Final = 1000
_NAME: Final = "charging_records"
_INSTANTS: Final = ("opened_at", "last_at", "closed_at")
_AMOUNTS: Final = ("octets", "overrun_octets", "input_octets", "output_octets", "seconds")

# A busy network has many rows, so they go to the driver without conversion by SQLAlchemy, with instants in the
# microseconds of ``UtcDateTime``. Columns that are fixed at the opening are not set again: no index on them
# changes.
_MICROSECONDS: Final = 1_000_000
_COLUMNS: Final = tuple(column.name for column in charging_data_record.columns)
_FIXED: Final = frozenset({*_COLUMNS[: _COLUMNS.index("opened_at") + 1]})
_INSTANT_PLACES: Final = tuple(_COLUMNS.index(name) for name in _INSTANTS)
_values_of: Final = attrgetter(*_COLUMNS)
_amounts_of: Final = attrgetter(*_AMOUNTS)
_CHANGING: Final = tuple(name for name in _COLUMNS if name not in _FIXED)
_HOUR_KEY: Final = ("session_id", "hour_at", "account_id")


def read_sequence(connection: Connection) -> int:
    """Return the sequence up to which the journal was projected; 0 before the first record."""
    query = select(charging_projection.c.sequence).where(charging_projection.c.name == _NAME)
    return int(connection.scalar(query) or 0)


def write_sequence(connection: Connection, sequence: int) -> None:
    """Store the sequence up to which the journal was projected."""
    connection.execute(
        insert(charging_projection)
        .values(name=_NAME, sequence=sequence)
        .on_conflict_do_update(index_elements=["name"], set_={"sequence": sequence})
    )


def read_reservations(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return the Session-Ids of the known ones among these reservations."""
    found: dict[str, str] = {}
    for some in _pieces(ids):
        query = select(charging_reservation).where(charging_reservation.c.reservation_id.in_(some))
        found.update({it.reservation_id: it.session_id for it in connection.execute(query)})
    return found


def write_reservations(connection: Connection, reservations: dict[str, str]) -> None:
    """Store the Session-Id of each reservation. Existing rows stay unchanged."""
    if reservations:
        rows = [{"reservation_id": key, "session_id": value} for key, value in reservations.items()]
        connection.execute(insert(charging_reservation).on_conflict_do_nothing(), rows)


def forget_reservations(connection: Connection, ids: Collection[str]) -> None:
    """Delete reservations that the ledger forgot."""
    for some in _pieces(ids):
        connection.execute(delete(charging_reservation).where(charging_reservation.c.reservation_id.in_(some)))


def read_records(connection: Connection, session_ids: Collection[str]) -> dict[str, ChargingDataRecord]:
    """Return the stored records of these ChargingSessions, without their hours."""
    found: dict[str, ChargingDataRecord] = {}
    for some in _pieces(session_ids):
        for row in select_rows(connection, "charging_data_record", _COLUMNS, key="session_id", among=some):
            values = list(row)
            for place in _INSTANT_PLACES:
                if values[place] is not None:
                    values[place] //= _MICROSECONDS
            found[values[0]] = ChargingDataRecord(*values)
    return found


def write_records(connection: Connection, records: Iterable[ChargingDataRecord]) -> None:
    """Insert or replace records, and add their hours to the stored hours."""
    rows, hours = [], []
    for record in records:
        rows.append(_record_row(record))
        hours += [_hour_row(record.session_id, hour) for hour in record.hours.values()]
    if rows:
        upsert_rows(connection, "charging_data_record", _COLUMNS, rows, key=("session_id",), replace=_CHANGING)
    if hours:
        upsert_rows(connection, "charging_hour", (*_HOUR_KEY, *_AMOUNTS), hours, key=_HOUR_KEY, add=_AMOUNTS)


def record_of(row: Row[Any]) -> ChargingDataRecord:
    """Return the record in a row, without its hours."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    for name in _INSTANTS:
        values[name] = None if values[name] is None else unix_seconds(values[name])
    return ChargingDataRecord(**values)


def hour_of(row: Row[Any]) -> HourUsage:
    """Return the hour in a row, without its Session-Id."""
    values = {name: getattr(row, name) for name in ("account_id", *_AMOUNTS)}
    return HourUsage(hour_at=unix_seconds(row.hour_at), **values)


def _record_row(record: ChargingDataRecord) -> tuple[Any, ...]:
    values = list(_values_of(record))
    for place in _INSTANT_PLACES:
        if values[place] is not None:
            values[place] *= _MICROSECONDS
    return tuple(values)


def _hour_row(session_id: str, hour: HourUsage) -> tuple[Any, ...]:
    return (session_id, hour.hour_at * _MICROSECONDS, hour.account_id, *_amounts_of(hour))


def _pieces(ids: Collection[str]) -> Iterator[list[str]]:
    everything = list(ids)
    for start in range(0, len(everything), _AT_ONCE):
        yield everything[start : start + _AT_ONCE]

"""Charging data records made live and made anew from the journal are the same rows."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, delete, select

from kswifi.charging_records.projector import ChargingRecords
from kswifi.charging_records.sql import (
    charging_data_record,
    charging_hour,
    charging_projection,
    charging_reservation,
)
from kswifi.database.engine import Database
from tests.support.charging import INITIAL, TERMINATION, UPDATE, request, units
from tests.support.charging_records import recorded

MB = 1_000_000
TABLES: tuple[Table, ...] = (charging_data_record, charging_hour, charging_reservation, charging_projection)


async def _rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    def read(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
        return {
            it.name: [tuple(row) for row in connection.execute(select(it).order_by(*it.primary_key))]
            for it in TABLES
        }

    return await database.read(read)


async def _forget(database: Database) -> None:
    def forget(connection: Connection) -> None:
        for it in TABLES:
            connection.execute(delete(it))

    await database.write(forget)


@settings(deadline=None, max_examples=8)
@given(
    minutes=st.lists(st.integers(1, 90), min_size=4, max_size=12),
    pieces=st.lists(st.integers(1, 7), min_size=3, max_size=3),
    windows=st.lists(st.sampled_from([1, 3, 10, 1_000]), min_size=3, max_size=3),
)
async def test_a_rebuild_in_any_windows_gives_the_live_rows(
    tmp_path_factory: pytest.TempPathFactory, minutes: list[int], pieces: list[int], windows: list[int]
) -> None:
    folder: Path = tmp_path_factory.mktemp("records")
    async with recorded(folder) as it:
        await it.credit("a", 2_000 * MB)
        await it.ask(request(INITIAL, 0, units(), session="long"))
        for number, wait in enumerate(minutes, 1):
            it.pass_minutes(0.5)
            await it.ask(request(UPDATE, number, units(number * 1_000), session="long"))
            await it.ask(request(INITIAL, 0, units(), session=f"short-{number}"))
            await it.records.catch_up()  # live: a window for each report
            it.pass_minutes(wait)
            it.service.sweep()
            await it.ask(request(TERMINATION, 1, units(7, wants=False), session=f"short-{number}"))
        await it.records.catch_up()
        live = await _rows(it.database)
        assert live["charging_data_record"]
        for at_once, effects in zip(pieces, windows, strict=True):
            await _forget(it.database)
            again = ChargingRecords(it.database, it.ledger, records_at_once=at_once, effects_at_once=effects)
            await again.catch_up()
            assert await _rows(it.database) == live

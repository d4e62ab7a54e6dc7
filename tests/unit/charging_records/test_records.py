"""Charging data records made from the journal: sums, hours, causes, and nothing lost or counted twice."""

import asyncio
import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import force_setattr, replace
from sqlalchemy import Connection

from kswifi.charging.journal_notes import Bearer, ClosingCause, UsageNote
from kswifi.charging_records import sql, store
from kswifi.charging_records.errors import UNKNOWN_CHARGING_RECORD
from kswifi.charging_records.export import export_csv, export_json_lines, record_fields
from kswifi.charging_records.model import ChargingDataRecord
from kswifi.charging_records.projector import ChargingRecords, recorded_sequence
from kswifi.charging_records.service import (
    RecordFilter,
    find_records,
    get_record,
    prune_records,
    statement_of,
)
from kswifi.diameter.constants import RequestedAction
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import HoldWallet, ReportUsage
from tests.support.charging import EVENT, GATEWAY, IMSI, INITIAL, TERMINATION, UPDATE, WALLET, request, units
from tests.support.charging_records import Recorded, recorded
from tests.support.databases import START
from tests.support.refusals import refused

MB = 1_000_000
HOUR = unix_seconds(START)  # 09:00: the beginning of an hour
LOCATION = bytes.fromhex("8000f1100001")


async def whole(it: Recorded, record: ChargingDataRecord) -> ChargingDataRecord:
    """Return the record with its hours."""
    return await get_record(it.database, record.session_id)


def report(received: int, sent: int, seconds: int | None = None, *, wants: bool = True) -> ServiceCreditControl:
    used = ServiceUnit(cc_input_octets=received, cc_output_octets=sent, cc_time=seconds)
    return ServiceCreditControl(requested=ServiceUnit() if wants else None, used=(used,))


def placed(message: CreditControlRequest, **facts: Any) -> CreditControlRequest:
    """Return the request with more of its PS-Information said."""
    changed = {
        "charging_id": 1,
        "called_station_id": "internet",
        "rat_type": 6,
        "user_location_info": LOCATION,
        "pdp_addresses": ("10.45.0.2",),
        "sgsn_mcc_mnc": "00101",
        **facts,
    }
    force_setattr(message, "ps_information", PsInformation(**changed))
    return message


async def one_session(it: Recorded) -> None:
    """Use 3.5 MB over an hour's end, moving meanwhile; the first CC-Time is absurd, as some cores' are."""
    await it.credit("gift", 100 * MB)
    await it.ask(placed(request(INITIAL, 0, units())))
    it.pass_minutes(1)
    await it.ask(placed(request(UPDATE, 1, report(200_000, 800_000, 1_774_000_000))))
    it.pass_minutes(1)
    await it.ask(placed(request(UPDATE, 2, report(100_000, 900_000, 60)), user_location_info=b"\x82elsewhere"))
    it.pass_minutes(60)
    closing = placed(request(TERMINATION, 3, report(500_000, 1_000_000, 3600, wants=False)), rat_type=10)
    force_setattr(closing, "termination_cause", 1)
    await it.ask(closing)


async def test_a_record_tells_who_when_where_and_how_much_hour_by_hour(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await one_session(it)
        await it.records.catch_up()
        record = await get_record(it.database, "s;1")
        assert (record.imsi, record.apn, record.peer, record.charging_id) == (
            IMSI,
            "internet",
            "smf.localdomain",
            1,
        )
        assert (record.rat_type, record.user_location, record.sgsn_mcc_mnc) == (6, LOCATION.hex(), "00101")
        assert (record.last_rat_type, record.pdp_address) == (10, "10.45.0.2")
        assert (record.opened_at, record.closed_at) == (HOUR, HOUR + 62 * 60)
        assert (record.cause, record.termination_cause) == ("termination", 1)
        assert (record.octets, record.input_octets, record.output_octets) == (3_500_000, 800_000, 2_700_000)
        assert (record.seconds, record.overrun_octets, record.open_reservations) == (3660, 0, 0)
        hours = [
            (hour.hour_at, hour.octets, hour.input_octets, hour.output_octets) for hour in record.hours.values()
        ]
        assert hours == [(HOUR, 2_000_000, 300_000, 1_700_000), (HOUR + 3600, 1_500_000, 500_000, 1_000_000)]
        statement = (await statement_of(it.database, "gift")).hours.items
        assert [(hour.hour_at, hour.octets) for hour in statement] == [
            (HOUR, 2_000_000),
            (HOUR + 3600, 1_500_000),
        ]
        assert (await statement_of(it.database, "another")).hours.items == []

        shown = record_fields(record)
        assert (shown["location"], shown["last_location"]) == ("TAI 001-01 tac 1",) * 2


async def test_projecting_in_any_pieces_and_again_gives_the_same(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await one_session(it)
        whole = await it.all()
        hours = (await get_record(it.database, "s;1")).hours
        await it.records.catch_up()
        assert await it.all() == whole

        def change(connection: Connection) -> None:
            for table in (sql.charging_data_record, sql.charging_hour, sql.charging_reservation):
                connection.execute(table.delete())
            store.write_sequence(connection, 0)

        await it.database.write(change)
        it.records = ChargingRecords(it.database, it.ledger, records_at_once=1, effects_at_once=1)
        assert await it.all() == whole
        assert (await get_record(it.database, "s;1")).hours == hours
        assert await recorded_sequence(it.database) == it.ledger.durable_sequence


async def test_two_at_the_same_journal_count_nothing_twice(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await one_session(it)
        both_have_read = asyncio.Barrier(2)

        class Journal:
            """Gives what was read only when the other one has read the same."""

            def read_effects(self, after_sequence: int, limit: int) -> Any:
                found = it.ledger.read_effects(after_sequence, limit)
                if found:
                    asyncio.run_coroutine_threadsafe(both_have_read.wait(), loop).result(10)
                return found

        loop = asyncio.get_running_loop()
        await asyncio.gather(*(ChargingRecords(it.database, Journal()).catch_up() for _ in range(2)))
        assert [record.octets for record in await it.all()] == [3_500_000]


def test_a_record_is_closed_with_its_last_reservation_and_opened_again_by_a_late_one() -> None:
    record = ChargingDataRecord.opened("s", Bearer("001", "smf", None, None), 100)
    record.reserve(100)
    record.reserve(110)
    record.close(UsageNote(cause=ClosingCause.TERMINATION, termination_cause=1), 120, settled=False)
    assert (record.closed_at, record.cause) == (None, None)
    record.close(UsageNote(), 130, settled=True)
    assert (record.closed_at, record.cause, record.termination_cause) == (130, "silent", None)
    record.reserve(140)
    assert (record.closed_at, record.cause) == (None, None)


async def test_a_process_that_stops_leaves_a_long_backlog_to_the_next(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        it.records = ChargingRecords(it.database, it.ledger, records_at_once=1, effects_at_once=1)
        await it.credit("a", 100 * MB)
        await it.ask(placed(request(INITIAL, 0, units())))
        for number in range(1, 40):
            await it.ask(placed(request(UPDATE, number, report(1, 1))))
        it.records.stop()
        await it.records.run()
        assert await recorded_sequence(it.database) == 10
        after = ChargingRecords(it.database, it.ledger)
        assert await after.catch_up() == it.ledger.durable_sequence


async def test_a_pass_that_dies_before_its_commit_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(tmp_path) as it:
        await one_session(it)

        def dies(*_args: object) -> None:
            raise RuntimeError("power cut")

        monkeypatch.setattr(store, "write_sequence", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            await it.records.catch_up()
        monkeypatch.undo()
        assert [record.octets for record in await it.all()] == [3_500_000]


async def test_overrun_is_recorded_apart_and_usage_goes_to_the_account_that_paid(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("small", MB)
        await it.ask(request(INITIAL, 0, units()))
        await it.ask(request(TERMINATION, 1, units(MB + 7, wants=False)))
        (record,) = await it.all()
        assert (record.octets, record.overrun_octets) == (MB + 7, 7)
        assert (await statement_of(it.database, "small")).hours.items[0].octets == MB + 7


async def test_orphans_and_the_silent_say_so_and_late_usage_still_counts(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("gift", 100 * MB)
        await it.ask(request(INITIAL, 0, units(), session="first", charging_id=1))
        await it.ask(request(INITIAL, 0, units(), session="second", charging_id=2))
        it.pass_minutes(5)
        it.restart()
        it.pass_minutes(5)
        assert it.service.sweep() == 1
        await it.ask(request(TERMINATION, 1, units(5_000, wants=False), session="first"))
        first, second = sorted(await it.all(), key=lambda record: record.session_id)
        assert (first.cause, first.octets, first.closed_at) == ("replaced", 5_000, HOUR)
        assert (second.cause, second.closed_at) == ("silent", HOUR + 600)


async def test_a_session_ends_with_the_last_of_its_groups(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("gift", 100 * MB)
        await it.ask(request(INITIAL, 0, units(group=1)))
        await it.ask(request(UPDATE, 1, units(10, group=1), units(group=2)))
        (record,) = await it.all(RecordFilter(closed=False))
        assert (record.open_reservations, record.cause) == (2, None)
        await it.ask(request(TERMINATION, 2, units(5, wants=False, group=2)))
        (record,) = await it.all(RecordFilter(closed=True))
        assert (record.octets, record.cause) == (15, "termination")


async def test_a_session_that_was_control_only_all_along_has_a_record_too(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("gift", MB)
        await it.ledger.execute(HoldWallet("hold", WALLET, "paused"))
        await it.ask(request(INITIAL, 0, units(), host=GATEWAY))
        it.pass_minutes(1)
        await it.ask(request(TERMINATION, 1, units(0, wants=False), host=GATEWAY))
        (record,) = await it.all()
        assert (record.octets, record.cause, record.closed_at) == (0, "termination", HOUR + 60)


async def test_usage_of_a_charging_session_without_an_initial_request_is_recorded_as_such(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("a", 10 * MB)
        await it.ask(placed(request(UPDATE, 4, report(1, 2), session="late", happened=HOUR)))
        await it.ask(placed(request(TERMINATION, 9, report(30, 40), session="old", happened=HOUR - 86_400)))
        late, old = await it.all()
        for record, account, octets in ((late, "a", 3), (old, "", 70)):
            assert (record.cause, record.octets, record.imsi) == ("unknown", octets, IMSI)
            assert [(hour.account_id, hour.octets) for hour in (await whole(it, record)).hours.values()] == [
                (account, octets)
            ]
        assert (old.overrun_octets, old.input_octets, old.output_octets) == (70, 30, 40)


async def test_a_refused_attach_has_a_record_of_nothing(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("a", 10 * MB)
        await it.ledger.execute(HoldWallet("hold", WALLET, "paused"))
        message = placed(request(INITIAL, 0, units()))
        for _ in range(2):
            assert (await it.ask(message)).result_code == 4012
        (record,) = await it.all()
        assert (record.cause, record.octets, record.open_reservations) == ("refused", 0, 0)
        assert record.closed_at is not None


async def test_a_refund_is_recorded_with_a_minus(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("a", 10 * MB)
        for session, action, octets in (("e;1", 0, 500), ("e;2", 1, 200), ("e;1", 1, 100)):
            number = 1 if session == "e;1" and action else 0
            message = replace(
                request(
                    EVENT,
                    number,
                    ServiceCreditControl(requested=ServiceUnit(cc_total_octets=octets)),
                    session=session,
                ),
                requested_action=RequestedAction(action),
            )
            assert (await it.ask(message)).result_code == 2001
        one, two = await it.all()
        assert [(record.octets, record.cause, record.open_reservations) for record in (one, two)] == [
            (400, "event", 0),
            (-200, "event", 0),
        ]
        assert two.closed_at is not None
        account = it.ledger.state.account("a")
        assert account is not None
        assert (
            account.balances.used
            == 200
            == sum(hour.octets for hour in (await statement_of(it.database, "a")).hours.items)
        )


async def test_filters_pages_and_both_exports_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kswifi.charging_records.service.PAGE", 2)

    async with recorded(tmp_path) as it:
        await it.credit("gift", 100 * MB)
        for number in range(5):
            apn = "=internet" if number % 2 else "internet"
            message = {"session": f"s{number}", "charging_id": None, "apn": apn}
            await it.ask(request(INITIAL, 0, units(), **message))  # type: ignore[arg-type]
            it.pass_minutes(10)
            await it.ask(request(TERMINATION, 1, units(number, wants=False), **message))  # type: ignore[arg-type]
        assert [record.session_id for record in await it.all()] == ["s0", "s1", "s2", "s3", "s4"]
        limited = [it async for it in find_records(it.database, RecordFilter(), 3)]
        assert [record.session_id for record in limited] == ["s0", "s1", "s2"]
        since = START + timedelta(minutes=15)
        window = RecordFilter(since=since, until=since + timedelta(minutes=10))
        assert [record.session_id for record in await it.all(window)] == ["s1", "s2"]
        assert len(await it.all(RecordFilter(apn="=internet", imsi=IMSI))) == 2
        assert await it.all(RecordFilter(imsi="001010000000099")) == []

        text = io.StringIO()
        assert await export_csv(it.database, RecordFilter(), text) == 5
        lines = list(csv.DictReader(io.StringIO(text.getvalue())))
        assert [(line["session_id"], line["octets"], line["closed_at"]) for line in lines[:2]] == [
            ("s0", "0", "2026-11-23T09:10:00Z"),
            ("s1", "1", "2026-11-23T09:20:00Z"),
        ]
        assert lines[1]["apn"] == "'=internet"
        text = io.StringIO()
        assert await export_json_lines(it.database, RecordFilter(), text) == 5
        objects = [json.loads(line) for line in text.getvalue().splitlines()]
        assert [sum(hour["octets"] for hour in one["hours"]) for one in objects] == [0, 1, 2, 3, 4]
        assert objects[1]["hours"][0]["hour_at"] == "2026-11-23T09:00:00Z"
        text = io.StringIO()
        await export_csv(it.database, RecordFilter(), text, hourly=True)
        hourly = list(csv.DictReader(io.StringIO(text.getvalue())))
        assert [(line["session_id"], line["account_id"], line["octets"]) for line in hourly] == [
            (f"s{number}", "gift", str(number)) for number in range(1, 5)
        ]


async def test_what_is_closed_long_enough_is_pruned_with_its_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kswifi.charging_records.service.PRUNED_AT_ONCE", 1)

    async with recorded(tmp_path) as it:
        await one_session(it)
        await it.ask(request(INITIAL, 0, units(), session="open"))
        await it.records.catch_up()
        it.clock.advance(timedelta(days=29))
        assert await prune_records(it.database, timedelta(days=30)) == 0
        it.clock.advance(timedelta(days=2))
        assert await prune_records(it.database, timedelta(days=30)) == 1
        assert await prune_records(it.database, timedelta(days=30)) == 0
        assert [record.session_id for record in await it.all()] == ["open"]
        assert (await statement_of(it.database, "gift")).hours.items == []
        with refused(UNKNOWN_CHARGING_RECORD):
            await get_record(it.database, "s;1")


async def test_the_growth_of_a_providers_counter_is_one_record(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await it.credit("gift", 10 * MB)
        for number, (total, as_of) in enumerate(((3 * MB, HOUR), (2 * MB, HOUR), (12 * MB, HOUR + 3600))):
            await it.ledger.execute(ReportUsage(f"usage-{number}", "gift", total, as_of))
        (record,) = await it.all()
        assert (record.session_id, record.source, record.cause) == ("provider;gift", "provider", "provider")
        assert (record.octets, record.overrun_octets) == (12 * MB, 2 * MB)
        assert (record.opened_at, record.closed_at) == (HOUR, HOUR + 3600)
        assert record_fields(record)["source"] == "provider"
        hours = (await statement_of(it.database, "gift")).hours.items
        assert [(hour.hour_at, hour.octets) for hour in hours] == [(HOUR, 3 * MB), (HOUR + 3600, 9 * MB)]


async def test_records_of_a_network_say_so(tmp_path: Path) -> None:
    async with recorded(tmp_path) as it:
        await one_session(it)
        assert {record.source for record in await it.all()} == {"gy"}

"""My use, as its owner reads it: by hour, day, week and session, how long what is left lasts, and statements."""

import csv
import re
import zlib
from base64 import a85decode
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert

from kswifi.catalogue.model import LAGOS
from kswifi.charging.journal_notes import Bearer, UsageNote
from kswifi.charging_records.projector import ChargingRecords
from kswifi.esim.model import LineKind
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import Ask, Commit, Reserve
from kswifi.people import statements
from kswifi.people import use as people_use
from kswifi.people.model import TransferKind, TransferState
from kswifi.people.sql import octet_transfer
from kswifi.people.statement_files import statement_pdf
from kswifi.sessions.model import InternetSession
from tests.support.api import problem
from tests.support.session_api import ORIGIN, Served, served

DAY = timedelta(days=1)
GB = 10**9
USAGE = "/api/v1/usage"


async def use(it: Served, session: InternetSession, octets: int) -> None:
    """Use octets now, a quarter of them from the phone, on a ChargingSession of their own."""
    road = it.road
    number = road.ledger.durable_sequence
    name = f"s;{number}"
    ask = Ask(octets, octets, unix_seconds(road.clock.now()) + 60)
    bearer = Bearer("001010000000001", "smf", "internet", number)
    note = UsageNote(octets // 4, octets - octets // 4).to_note()
    await road.ledger.execute(Reserve(f"r{number}", name, session.esim_id, ask, bearer.to_note(name)))
    await road.ledger.execute(Commit(f"c{number}", name, octets, None, True, note))
    await ChargingRecords(road.database, road.ledger).catch_up()
    await road.settle()


async def read(it: Served, path: str = USAGE) -> dict[str, Any]:
    answer = await it.get(path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_my_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as it:  # a Monday, 10:00 in Lagos
        unused = await read(it)
        assert (unused["pace_octets"], unused["left_octets"], unused["lasts_until"]) == (None, 0, None)
        session = await it.road.stored(user_id=it.page.user_id)
        await use(it, session, 4_000)
        it.road.clock.advance(timedelta(hours=13))  # the next hour here is on the next day there
        await use(it, session, 8_000)
        it.road.clock.advance(timedelta(hours=1))
        await use(it, session, 20_000)
        it.road.clock.advance(6 * DAY)
        await use(it, session, 40)

        by_day = await read(it, f"{USAGE}/periods")
        assert by_day["by"] == "day"
        assert by_day["time_zone"] == "Africa/Lagos"
        assert [(one["starts_at"], one["octets"]) for one in by_day["periods"]] == [
            ("2026-11-29T23:00:00.000Z", 40),
            ("2026-11-23T23:00:00.000Z", 20_000),
            ("2026-11-22T23:00:00.000Z", 12_000),
        ]
        assert by_day["periods"][-1] == {
            "starts_at": "2026-11-22T23:00:00.000Z",
            "ends_at": "2026-11-23T23:00:00.000Z",
            "octets": 12_000,
            "uplink_octets": 3_000,
            "downlink_octets": 9_000,
            "portion_octets": 0,
        }
        for by, lengths in (("hour", [40, 20_000, 8_000, 4_000]), ("week", [40, 32_000])):
            whole = await read(it, f"{USAGE}/periods?by={by}")
            assert [one["octets"] for one in whole["periods"]] == lengths
            assert await walk(it, by) == whole["periods"]

        with monkeypatch.context() as few:  # a day whose hours are not all among those that were read
            few.setattr(people_use, "HOURS_AT_ONCE", 3)
            assert await walk(it, "day", limit=9) == by_day["periods"]

        it.road.clock.advance(timedelta(hours=23))
        told = await read(it)
        assert (told["this_week"]["octets"], told["last_week"]["octets"]) == (40, 32_000)
        # This week has lasted 23 hours; in the same time of the last one, only the first octets were used.
        assert told["last_week_so_far_octets"] == 4_000
        assert told["today"]["octets"] == 40
        assert told["pace_octets"] == 28_040 // 7
        assert told["left_octets"] == GB - 32_040
        assert told["ends_by"] == "validity"
        assert told["lasts_until"] == (await it.get(f"/api/v1/sessions/{session.session_id}")).json()["valid_until"]
        assert [one["octets"] for one in told["biggest_hours"]] == [20_000, 8_000, 4_000, 40]
        assert told["destinations_known"] is False

        [one] = (await read(it, f"{USAGE}/sessions"))["sessions"]
        statement = (await it.get(f"/api/v1/sessions/{session.session_id}/statement")).json()
        assert one["octets"] == statement["octets"] == 32_040
        assert one["octets"] + one["left_octets"] == one["allowance_octets"]
        assert (one["counted_by"], one["portions"]) == ("network", [])
        assert (one["first_at"], one["last_at"]) == ("2026-11-23T09:00:00.000Z", "2026-11-29T23:00:00.000Z")


async def walk(it: Served, by: str, limit: int = 1) -> list[Any]:
    found: list[Any] = []
    after = ""
    while True:
        page = await read(it, f"{USAGE}/periods?by={by}&limit={limit}{after}")
        found += page["periods"]
        if page["next"] is None:
            return found
        assert 1 <= len(page["periods"]) <= limit
        after = f"&after={page['next']}"


async def test_my_use_is_mine_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        await use(it, await it.road.stored(user_id=it.page.user_id), 4_000)
        async with it.another("eve@example.ng") as eve:
            assert (await eve.client.get(USAGE)).json()["today"]["octets"] == 0
            for path, member in (("periods", "periods"), ("sessions", "sessions")):
                assert (await eve.client.get(f"{USAGE}/{path}")).json()[member] == []
        async with httpx2.AsyncClient(transport=it.transport, base_url=ORIGIN) as nobody:
            for path in ("", "/periods", "/sessions"):
                problem(await nobody.get(USAGE + path), 401, "not_signed_in")
        for after in ("WyJhIl0", "WzEsMl0"):
            problem(await it.get(f"{USAGE}/periods?after={after}"), 400, "page_cursor_invalid")
        problem(await it.get(f"{USAGE}/periods?by=month"), 422, "invalid_request")


STATEMENTS = "/api/v1/statements"


def words_of(pdf: bytes) -> list[str]:
    """Return the texts that a PDF's pages show, in order; a reader finds them by its search."""
    streams = re.findall(
        rb"/Filter \[ /ASCII85Decode /FlateDecode \][^>]*>>\s*stream\n(.*?)endstream", pdf, re.DOTALL
    )
    pages = [zlib.decompress(a85decode(b"<~" + one.strip(), adobe=True)).decode("latin-1") for one in streams]
    return [one for page in pages for one in re.findall(r"\((.*?)\) Tj", page)]


async def test_the_statement_of_a_month_adds_up_to_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as it:
        assert (await read(it, STATEMENTS))["months"] == []
        session = await it.road.stored(user_id=it.page.user_id)
        await use(it, session, 4_000)
        it.road.clock.advance(timedelta(days=7, hours=14))  # 1 December there, 30 November in UTC
        await use(it, session, 600)
        when = it.road.clock.now()
        row = {
            "transfer_id": "00000000-0000-4000-8000-000000000001",
            "kind": TransferKind.GIFT,
            "giver_id": it.page.user_id,
            "from_session_id": session.session_id,
            "octets": 70,
            "kobo": 0,
            "state": TransferState.RECEIVED,
            "valid_until": session.valid_until,
            "created_at": when,
            "expires_at": when,
            "ended_at": when,
        }
        await it.road.database.write(lambda connection: connection.execute(insert(octet_transfer).values(row)))
        listed = (await read(it, STATEMENTS))["months"]
        assert [one["month"] for one in listed] == ["2026-12", "2026-11"]

        files = {one["month"]: await it.get(one["csv"]) for one in listed}
        rows = {month: list(csv.DictReader(answer.text.splitlines())) for month, answer in files.items()}
        assert [(one["row"], one["starts_at"], one["octets"]) for one in rows["2026-11"]] == [
            ("hour", "2026-11-23T10:00+01:00", "4000"),
            ("total", "2026-11", "4000"),
        ]
        assert [(one["row"], one["starts_at"], one["octets"]) for one in rows["2026-12"]] == [
            ("hour", "2026-12-01T00:00+01:00", "600"),
            ("out", "2026-12-01T00:00+01:00", "70"),
            ("total", "2026-12", "600"),
        ]
        booked = it.road.ledger.state.balances(session.session_id)
        assert booked is not None
        totals = [int(one["octets"]) for month in rows.values() for one in month if one["row"] == "total"]
        assert sum(totals) == booked.used + booked.overrun
        assert files["2026-11"].headers["content-type"] == "text/csv; charset=utf-8"
        assert files["2026-11"].headers["content-disposition"] == 'attachment; filename="kswifi-2026-11.csv"'

        pdf = await it.get(listed[1]["pdf"])
        assert pdf.headers["content-type"] == "application/pdf"
        assert (await it.get(listed[1]["pdf"])).content == pdf.content
        words = words_of(pdf.content)
        assert words[:2] == ["KSWiFi: data used in 2026-11", "For +2348031234567"]
        assert words[(day := words.index("2026-11-23 Mon")) : day + 6] == [
            "2026-11-23 Mon",
            "4,000",
            "1,000",
            "3,000",
            "Total",
            "4,000",
        ]
        assert "The month is not over: use after this time is not in it." not in words
        december = words_of((await it.get(listed[0]["pdf"])).content)
        assert "The month is not over: use after this time is not in it." in december
        assert december[december.index("gift") + 1] == "-70"

        problem(await it.get(f"{STATEMENTS}/2027-01.csv"), 404, "no_statement")
        problem(await it.get(f"{STATEMENTS}/2025-09.pdf"), 404, "no_statement")
        problem(await it.get(f"{STATEMENTS}/2026-13.csv"), 422, "invalid_request")
        async with it.another("eve@example.ng") as eve:
            [_heading, total] = (await eve.client.get(f"{STATEMENTS}/2026-11.csv")).text.splitlines()
            assert total == "total,2026-11,,,,0,0,0"
        monkeypatch.setattr(statements, "ROWS_LIMIT", 0)
        problem(await it.get(f"{STATEMENTS}/2026-11.csv"), 409, "statement_too_long")


def test_a_long_statement_goes_on_on_the_next_page_and_names_strangely_called_people() -> None:
    month = statements.Month(2026, 12)
    begins, ends = month.bounds(LAGOS)
    hours = [
        statements.StatementHour(
            begins + number * timedelta(hours=1), f"{number:036d}", statements.Sum(number, 0, number)
        )
        for number in range(200)
    ]
    sessions = [
        statements.StatementSession(it.session_id, "own-1gb", LineKind.OWN_LINE, None, it.use) for it in hours
    ]
    whole = statements.MonthStatement(month, LAGOS, ends, True, tuple(hours), tuple(sessions), ())
    pdf = statement_pdf(whole, "Ọlá 北", "KSWiFi")
    assert pdf == statement_pdf(whole, "Ọlá 北", "KSWiFi")
    words = words_of(pdf)
    assert words.count("KSWiFi: data used in 2026-12") == len(re.findall(rb"/Type /Page\b", pdf)) == 5
    assert words.count(f"{sum(range(200)):,}") == 3
    assert words[-1] == "your network knows."

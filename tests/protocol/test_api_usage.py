"""My use, as its owner reads it: by hour, day, week and session, and how long what is left lasts."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kswifi.charging.journal_notes import Bearer, UsageNote
from kswifi.charging_records.projector import ChargingRecords
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import Ask, Commit, Reserve
from kswifi.people import use as people_use
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

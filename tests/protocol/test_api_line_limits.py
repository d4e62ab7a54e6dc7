"""Limits that people set on a line: the limit of a day, and a pause that ends by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from kswifi.esim.model import LineKind
from kswifi.esim.sql import esim
from kswifi.ledger.commands import OutcomeCode
from kswifi.ledger.limits import jitter_seconds
from kswifi.notifications.follower import LIMIT_ALERT, PUSH, AlertFollower
from kswifi.outbox.service import events_of_all
from kswifi.outbox.sql import outbox_entry
from kswifi.people.line_limits import LineLimitService
from kswifi.people.rules import LimitRules
from kswifi.people.sql import line_limit
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.store import LIMIT_REACHED
from tests.support.api import PASSWORD, problem
from tests.support.pushes import push_transport
from tests.support.session_api import Served, served

MB = 10**6
KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
MIDNIGHT = datetime(2026, 11, 23, 23, tzinfo=UTC)  # in Lagos, after START


@dataclass
class OfLine:
    """A session on its line, and the calls about the line's limits."""

    it: Served
    session: InternetSession
    path: str

    async def read(self) -> dict[str, Any]:
        answer = await self.it.get(f"{self.path}/limits")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def limit(self, octets: int | None) -> Any:
        answer = await self.it.page.send("PUT", f"{self.path}/limits", {"daily_octets": octets})
        await self.it.road.settle()
        return answer

    async def state(self) -> SessionState:
        return (await self.it.road.now(self.session)).state


@asynccontextmanager
async def a_line(folder: Path) -> AsyncIterator[OfLine]:
    async with served(folder) as it:
        session = await it.road.stored(user_id=it.page.user_id)
        yield OfLine(it, session, f"/api/v1/esims/{session.esim_id}")


def text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_a_limit_stops_the_line_and_the_next_day_brings_it_back(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        it, road, esim_id = line.it, line.it.road, line.session.esim_id
        unlimited = await line.read()
        assert (unlimited["offered"], unlimited["not_offered_because"]) == (True, None)
        assert (unlimited["daily_octets"], unlimited["used_today_octets"]) == (None, None)
        assert (await line.limit(20 * MB)).status_code == 200
        await road.use(line.session, 15 * MB, 1)
        told = await line.read()
        assert (told["used_today_octets"], told["day_ends_at"]) == (15 * MB, text(MIDNIGHT))
        assert (told["limit_reached"], told["back_at"]) == (False, None)

        # Only what the day leaves is granted, whatever the gateway asks for.
        outcome = await road.reserve(line.session, 50 * MB, 2)
        assert (outcome.granted_octets, outcome.final) == (5 * MB, True)
        await road.commit(line.session, 5 * MB, 2)
        await road.settle()
        told = await line.read()
        back_at = MIDNIGHT + timedelta(seconds=jitter_seconds(esim_id))
        assert (told["limit_reached"], told["hold"], told["back_at"]) == (True, "limited", text(back_at))
        assert await line.state() is SessionState.PAUSED
        session = (await it.get(f"/api/v1/sessions/{line.session.session_id}")).json()
        assert (session["state"], session["hold"]) == ("paused", "limited")
        events = await road.database.read(lambda connection: events_of_all(connection, 0, 1000))
        [reached] = [one for one in events if one.kind == LIMIT_REACHED]
        assert reached.payload["back_at"] == int(back_at.timestamp())

        # Switching the line on does not lift it.
        await it.post(f"/api/v1/sessions/{line.session.session_id}/activate")
        await road.settle()
        assert (await line.read())["limit_reached"] is True

        road.clock.advance(back_at - road.clock.now() - timedelta(seconds=1))
        await road.settle()
        assert (await line.read())["limit_reached"] is True
        road.clock.advance(timedelta(seconds=1))
        await road.settle()
        told = await line.read()
        assert (told["limit_reached"], told["hold"], told["used_today_octets"]) == (False, None, 0)
        assert await line.state() is SessionState.ACTIVE
        assert (await road.reserve(line.session, 50 * MB, 3)).granted_octets == 20 * MB


async def test_a_limit_is_lifted_for_the_day_and_removed(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        road = line.it.road
        await line.limit(10 * MB)
        await road.use(line.session, 10 * MB, 1)
        assert (await road.reserve(line.session, MB, 2)).code is OutcomeCode.ON_HOLD
        assert (await line.it.post(f"{line.path}/limits/lift")).status_code == 200
        await road.settle()
        told = await line.read()
        assert (told["lifted_today"], told["limit_reached"], told["daily_octets"]) == (True, False, 10 * MB)
        assert await line.state() is SessionState.ACTIVE
        assert (await road.reserve(line.session, 50 * MB, 3)).granted_octets == 50 * MB
        await line.limit(None)
        told = await line.read()
        assert (told["daily_octets"], told["used_today_octets"], told["lifted_today"]) == (None, None, False)


async def test_a_limit_is_in_the_export_and_is_deleted_with_the_account(
    tmp_path: Path,
) -> None:
    async with a_line(tmp_path) as line:
        it = line.it
        assert (await it.get("/api/v1/account/export")).json()["limits"] == []
        asked = await it.page.send("PUT", f"{line.path}/limits", {"daily_octets": 50 * MB})
        assert asked.status_code == 200
        exported = (await it.get("/api/v1/account/export")).json()["limits"]
        assert exported == [{"esim_id": line.session.esim_id, "daily_octets": 50 * MB}]
        gone = await it.page.send("DELETE", "/api/v1/account", {"password": PASSWORD})
        assert gone.status_code == 204, gone.text
        await it.road.settle()  # the wish was on its way to the ledger
        assert await it.road.database.read(lambda connection: connection.execute(select(line_limit)).all()) == []


async def test_a_pause_ends_by_itself(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        it, road = line.it, line.it.road
        await road.use(line.session, MB, 1)
        until = road.clock.now() + timedelta(hours=2)
        ends_at = until + timedelta(seconds=jitter_seconds(line.session.esim_id))
        paused = await it.post(f"{line.path}/pause", {"until": text(until)})
        assert paused.json()["pause_ends_at"] == text(ends_at)
        await road.settle()
        told = await line.read()
        assert (told["hold"], told["limit_reached"], told["back_at"]) == ("paused", False, text(ends_at))
        road.clock.advance(ends_at - road.clock.now())
        await road.settle()
        told = await line.read()
        assert (told["hold"], told["pause_ends_at"], await line.state()) == (None, None, SessionState.ACTIVE)

        # A pause without an end afterwards is a new wish, and nothing ends it by itself.
        again = road.clock.now() + timedelta(hours=1)
        await it.post(f"{line.path}/pause", {"until": text(again)})
        await road.settle()
        await it.post(f"/api/v1/sessions/{line.session.session_id}/deactivate")
        await road.settle()
        road.clock.advance(timedelta(hours=2))
        await road.settle()
        told = await line.read()
        assert (told["hold"], told["back_at"], told["pause_ends_at"]) == ("paused", None, None)
        await it.post(f"/api/v1/sessions/{line.session.session_id}/activate")
        await road.settle()
        assert (await line.read())["hold"] is None


async def test_limits_are_refused_where_they_make_no_sense(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        it, road = line.it, line.it.road
        problem(await line.limit(MB), 409, "limit_too_small")
        problem(await line.limit(0), 422, "invalid_request")
        for away in (timedelta(0), timedelta(days=40)):
            until = text(road.clock.now() + away)
            problem(await it.post(f"{line.path}/pause", {"until": until}), 409, "pause_too_long")
        async with it.another("eve@example.ng") as eve:
            problem(await eve.client.get(f"{line.path}/limits"), 404, "unknown_esim")
            problem(await eve.send("PUT", f"{line.path}/limits", {"daily_octets": 20 * MB}), 404, "unknown_esim")
            problem(await eve.send("POST", f"{line.path}/limits/lift"), 404, "unknown_esim")

        await line.limit(20 * MB)
        road.line_limits.rules = replace(road.line_limits.rules, control_only_access=False)
        told = await line.read()
        assert (told["offered"], told["not_offered_because"]) == (False, "no_control_only_access")
        until = text(road.clock.now() + timedelta(hours=1))
        for answer in (await line.limit(30 * MB), await it.post(f"{line.path}/pause", {"until": until})):
            assert problem(answer, 409, "limit_not_offered")["facts"]["why"] == "no_control_only_access"
        assert (await line.limit(None)).status_code == 200

        mine = update(esim).where(esim.c.esim_id == line.session.esim_id).values(kind=LineKind.PROFILE)
        await road.database.write(lambda connection: connection.execute(mine))
        assert (await line.read())["not_offered_because"] == "data_provider"


async def test_the_owner_gets_one_message_a_day(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        it, road = line.it, line.it.road
        follower = AlertFollower(road.database, push_transport(road.clock))
        await follower.catch_up()
        keys = {"p256dh": KEY, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
        body = {"endpoint": "https://fcm.googleapis.com/fcm/send/abc", "keys": keys}
        assert (await it.post("/api/v1/push-subscriptions", body)).status_code == 201
        await line.limit(10 * MB)
        await road.use(line.session, 10 * MB, 1)
        await line.limit(11 * MB)
        await road.use(line.session, MB, 2)
        await follower.catch_up()
        messages = await road.database.read(
            lambda connection: connection.execute(outbox_entry.select().where(outbox_entry.c.kind == PUSH)).all()
        )
        assert [LIMIT_ALERT in one.payload["message"] for one in messages] == [True]


@pytest.mark.parametrize("zone", ["Africa/Lagos", "Europe/Berlin"])
async def test_days_follow_summer_time(tmp_path: Path, zone: str) -> None:
    async with a_line(tmp_path) as line:
        road, esim_id = line.it.road, line.session.esim_id
        ledger = road.ledger
        limits = LineLimitService(road.database, ledger, lambda: ledger.state, ZoneInfo(zone), LimitRules())
        await road.database.write(lambda c: limits.set_day(c, line.it.page.user_id, esim_id, 20 * MB))
        await road.settle()
        assert await limits.follow_days() == 0
        road.clock.advance(datetime(2027, 3, 29, 12, tzinfo=UTC) - road.clock.now())
        assert await limits.follow_days() == (1 if zone == "Europe/Berlin" else 0)
        await road.settle()
        begins = 22 if zone == "Europe/Berlin" else 23
        assert road.ledger.state.day_limits[esim_id].day_at % 86_400 == begins * 3600
        assert await limits.follow_days() == 0

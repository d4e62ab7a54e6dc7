"""What support does for a caller: nothing before the caller is known, then all of it, with its trace."""

import re
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from kswifi.desk.audit import actions, verify_trail
from kswifi.desk.callers import CallerCode
from kswifi.desk.errors import LAST_FOUNDER, STAFF_EXISTS, STAFF_NAME_INVALID, UNKNOWN_STAFF
from kswifi.desk.incidents import current
from kswifi.desk.notices import notices_of
from kswifi.desk.roles import Role
from kswifi.desk.staff import add_member, disable, invite_again, members, set_role
from kswifi.esim.lines.service import esims_of, find_esim
from kswifi.outbox.sql import domain_event
from kswifi.people.move_model import MoveReason
from kswifi.people.moves import MoveService
from kswifi.sessions.disputes import find_dispute
from tests.support.authenticator import Authenticator
from tests.support.console import DISPUTE, ORIGIN, SHELL, Console, open_console
from tests.support.refusals import refused
from tests.support.session_roads import ADA

HERE = f"/customers/{ADA}"


async def _codes(console: Console) -> list[CallerCode]:
    def look(connection: Connection) -> list[CallerCode]:
        return console.services.callers.codes_for(connection, ADA)

    return await console.road.database.read(look)


async def _commands(console: Console) -> list[str]:
    return [it.command for it in reversed(await console.road.database.read(actions))]


async def test_a_caller_is_checked_before_anything_is_shown(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.SUPPORT) as desk:
        found = await desk.client.get("/search", params={"word": "ada@example.ng"})
        assert (found.status_code, found.headers["location"]) == (303, HERE)
        closed = (await desk.get(HERE)).text
        assert "ad•••@example.ng" in closed
        assert "ada@example.ng" not in closed
        assert console.session.session_id not in closed
        form = {"offer": "free-1gb", "reason": "data vanished"}
        goodwill = f"/sessions/{console.session.session_id}/goodwill"
        assert (await desk.post(goodwill, form)).status_code == 403
        assert (await desk.post(f"{HERE}/reveal")).status_code == 403

        await desk.post(f"{HERE}/caller")
        (shown,) = await _codes(console)
        assert re.fullmatch(r"\d{6}", shown.code)
        rows = await console.road.database.read(lambda connection: connection.execute(select(domain_event)).all())
        assert not any(shown.code in str(row.payload) for row in rows)
        assert (await desk.post(f"{HERE}/caller/check", {"code": "12345x"})).status_code == 422
        right = f"{shown.code[:3]} {shown.code[3:]}"
        assert (await desk.post(f"{HERE}/caller/check", {"code": right})).status_code == 303
        assert await _codes(console) == []
        assert (await desk.post(f"{HERE}/caller/check", {"code": right})).status_code == 422  # each code once

        opened = (await desk.get(HERE)).text
        assert console.session.session_id in opened
        assert "ada@example.ng" not in opened
        assert "ada@example.ng" in (await desk.post(f"{HERE}/reveal")).text
        assert (await desk.post(goodwill, form)).status_code == 303
        recovery = (await desk.post(f"{HERE}/recovery", {"reason": "forgot both"})).text
        assert re.search(r'class="code">[0-9A-Z]{4}(-[0-9A-Z]{4}){5}<', recovery)
        console.road.clock.advance(timedelta(minutes=31))
        assert console.session.session_id not in (await desk.get(HERE)).text
        assert (await _commands(console))[1:] == [
            "callers send",
            "callers check",
            "customers reveal",
            "sessions goodwill",
            "customers recovery",
        ]
        assert (await console.road.database.read(verify_trail)).findings == ()


async def test_a_code_is_guessed_five_times_only_and_lives_ten_minutes(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.SUPPORT) as desk:
        await desk.post(f"{HERE}/caller")
        (shown,) = await _codes(console)
        wrong = f"{(int(shown.code) + 1) % 1_000_000:06d}"
        for _ in range(5):
            assert (await desk.post(f"{HERE}/caller/check", {"code": wrong})).status_code == 422
        assert (await desk.post(f"{HERE}/caller/check", {"code": shown.code})).status_code == 422
        console.road.clock.advance(timedelta(seconds=1))
        await desk.post(f"{HERE}/caller")
        (again,) = await _codes(console)
        assert again.code != shown.code
        console.road.clock.advance(timedelta(minutes=10))
        assert (await desk.post(f"{HERE}/caller/check", {"code": again.code})).status_code == 422
        async with console.desk(Role.FOUNDER) as other:  # a code is for the member who asked for it
            await desk.post(f"{HERE}/caller")
            (mine,) = await _codes(console)
            assert (await other.post(f"{HERE}/caller/check", {"code": mine.code})).status_code == 422


async def test_a_page_that_was_opened_without_a_caller_gives_no_recovery_code(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.SUPPORT) as desk:
        assert (await desk.post(f"{HERE}/open", {"reason": ""})).status_code == 422
        assert (await desk.post(f"{HERE}/open", {"reason": "a letter"})).status_code == 303
        assert (await desk.post(f"{HERE}/recovery", {"reason": "forgot both"})).status_code == 403
        assert "a letter" in [it.reason for it in await console.road.database.read(actions)]


async def test_a_lost_phone_is_frozen_for_any_caller_and_thawed_for_a_checked_one(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.SUPPORT) as desk:
        line = f"/lines/{console.session.esim_id}"
        assert (await desk.post(f"{HERE}/lost-phone", {"reason": "stolen in Yaba"})).status_code == 303
        await console.road.settle()
        assert (
            await console.road.database.read(lambda connection: find_esim(connection, console.session.esim_id))
        ).frozen
        assert "frozen by support" in (await desk.get(line)).text
        assert (await desk.post(f"{line}/thaw", {"reason": "found it"})).status_code == 403
        await desk.post(f"{HERE}/caller")
        await desk.post(f"{HERE}/caller/check", {"code": (await _codes(console))[0].code})
        assert (await desk.post(f"{line}/thaw", {"reason": "found it"})).status_code == 303
        await console.road.settle()
        assert not (
            await console.road.database.read(lambda connection: find_esim(connection, console.session.esim_id))
        ).frozen


async def test_a_dispute_is_answered_from_a_template(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.SUPPORT) as desk:
        shown = (await desk.get(f"/disputes/{DISPUTE}")).text
        assert "This &lt;b&gt;is&lt;/b&gt; too much" in shown
        assert (await desk.post(f"/disputes/{DISPUTE}", {"answer": "We looked."})).status_code == 303
        dispute = await console.road.database.read(lambda connection: find_dispute(connection, DISPUTE))
        assert dispute.answer == "We looked."


async def test_a_member_enrols_by_a_link_once_and_signs_in_with_the_passkey(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.visitor() as client:
        import json

        database = console.road.database
        token = await database.write(lambda connection: add_member(connection, SHELL, "susi", Role.SUPPORT))
        key = Authenticator(ORIGIN)
        made = (await client.post(f"/enrol/{token}/options")).json()
        form = {"challenge_id": made["challenge_id"], "credential": json.dumps(key.make(made["options"]))}
        assert (await client.post(f"/enrol/{token}", data=form)).status_code == 303
        assert (await client.get("/")).status_code == 200
        assert (await client.get(f"/enrol/{token}")).status_code == 410
        client.cookies.clear()

        async def sign_in() -> int:
            asked = (await client.post("/sign-in/options")).json()
            answered = {"challenge_id": asked["challenge_id"], "credential": json.dumps(key.use(asked["options"]))}
            return (await client.post("/sign-in", data=answered)).status_code

        assert await sign_in() == 303
        cookie = client.cookies.get("kswifi_staff")
        console.road.clock.advance(timedelta(hours=12))
        assert (await client.get("/")).headers["location"] == "/sign-in"
        assert await sign_in() == 303
        assert client.cookies.get("kswifi_staff") != cookie
        await database.write(lambda connection: disable(connection, SHELL, "susi"))
        assert (await client.get("/")).headers["location"] == "/sign-in"
        assert await sign_in() == 401


async def test_staff_is_managed_and_the_last_founder_stays(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console:
        database = console.road.database
        await database.write(lambda connection: add_member(connection, SHELL, "ada", Role.FOUNDER))
        for name, role, row in (
            ("ada", Role.SUPPORT, STAFF_EXISTS),
            ("A b", Role.SUPPORT, STAFF_NAME_INVALID),
            ("bola", Role.SHELL, STAFF_NAME_INVALID),
        ):
            with refused(row):
                await database.write(partial(add_member, operator=SHELL, name=name, role=role))
        with refused(LAST_FOUNDER):
            await database.write(lambda connection: set_role(connection, SHELL, "ada", Role.SUPPORT))
        with refused(LAST_FOUNDER):
            await database.write(lambda connection: disable(connection, SHELL, "ada"))
        await database.write(lambda connection: add_member(connection, SHELL, "bola", Role.FOUNDER))
        await database.write(lambda connection: disable(connection, SHELL, "ada"))
        with refused(UNKNOWN_STAFF):
            await database.write(lambda connection: invite_again(connection, SHELL, "ada"))
        found = await database.read(members)
        assert [(it.name, it.disabled_at is None) for it in found] == [("ada", False), ("bola", True)]


@pytest.mark.parametrize("demo", [True, False])
async def test_only_the_demo_lets_people_in_without_a_passkey(tmp_path: Path, demo: bool) -> None:
    async with open_console(tmp_path, demo=demo) as console, console.visitor() as client:
        assert ("Sign in to the demo" in (await client.get("/sign-in")).text) is demo
        answer = await client.post("/sign-in/demo", data={"role": "support"})
        assert answer.status_code == (303 if demo else 404)
        assert (await client.get("/")).status_code == (200 if demo else 303)


async def test_the_app_shows_incidents_frozen_lines_and_the_code_for_support(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.SUPPORT) as desk:

        async def kinds() -> list[str]:
            look = partial(notices_of, callers=console.services.callers, user_id=ADA)
            return [str(it.kind) for it in await console.road.database.read(look)]

        assert await kinds() == []
        await desk.post("/incidents", {"words": "Slow in Lagos"})
        await desk.post(f"{HERE}/lost-phone", {"reason": "stolen"})
        await console.road.settle()
        await desk.post(f"{HERE}/caller")
        assert await kinds() == ["caller_code", "frozen", "incident"]
        (running,) = await console.road.database.read(current)
        await desk.post(f"/incidents/{running.incident_id}/end")
        console.road.clock.advance(timedelta(minutes=10))
        assert await kinds() == ["frozen"]
        (line, *_) = await console.road.database.read(partial(esims_of, user_id=ADA))
        ask = partial(MoveService().ask, user_id=ADA, esim_id=line.esim_id, why=MoveReason.LOST)
        await console.road.database.write(ask)
        assert await kinds() == ["move"], "support does not open a line again that is being moved"

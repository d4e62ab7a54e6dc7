"""Taking everything that is stored of oneself away, and deleting it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2

from kswifi.sessions.model import SessionState
from tests.support.api import PASSWORD, problem
from tests.support.session_api import ORIGIN, Served, served
from tests.support.session_roads import GB

ACCOUNT = "/api/v1/account"
NUMBER = "08031234567"


async def _delete(api: Served, password: str = PASSWORD) -> httpx2.Response:
    return await api.page.send("DELETE", ACCOUNT, {"password": password})


async def test_the_export_has_everything_of_mine_nothing_of_others_and_no_secret(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        mine = (await api.get(await api.order())).json()
        async with api.another("08039999999") as bola:
            ordered = await bola.send("POST", "/api/v1/sessions", {"offer_id": "free-1gb"})
            theirs = ordered.json()
        dispute = {"words": "This was not me."}
        await api.post(f"/api/v1/sessions/{mine['session_id']}/disputes", dispute)
        answer = await api.get(f"{ACCOUNT}/export")
        assert answer.headers["content-disposition"] == 'attachment; filename="kswifi.json"'
        export = answer.json()
        assert export["account"]["phone_number"] == "+2348031234567"
        assert len(export["logins"]) == 1
        assert export["sessions"] == [mine]
        assert [one["esim_id"] for one in export["esims"]] == [mine["esim_id"]]
        assert {one["data"]["session_id"] for one in export["events"]} == {mine["session_id"]}
        assert [one["kind"] for one in export["events"]][:1] == ["session_state_changed"]
        assert [one["words"] for one in export["disputes"]] == ["This was not me."]
        assert len(export["requests"]) == 2
        assert theirs["session_id"] not in answer.text
        assert "argon2" not in answer.text
        async with httpx2.AsyncClient(transport=api.transport, base_url=ORIGIN) as stranger:
            problem(await stranger.get(f"{ACCOUNT}/export"), 401, "not_signed_in")


async def test_a_deleted_account_is_over_everywhere_and_leaves_no_trace_of_its_owner(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        used = await api.road.stored(GB, api.page.user_id)
        await api.road.use(used, GB // 2)
        under_way = await api.road.downloads.download_session(api.page.user_id, GB)
        said = await api.post(f"/api/v1/sessions/{used.session_id}/disputes", {"words": f"Call {NUMBER}"})
        assert said.status_code == 201
        async with api.another("08039999999") as bola:
            kept = await api.road.downloads.download_session(bola.user_id, GB)
        await api.road.settle()
        problem(await _delete(api, "not the password"), 401, "wrong_credentials")
        problem(await api.page.send("DELETE", ACCOUNT, {}), 422, "invalid_request")
        assert (await api.get(ACCOUNT)).status_code == 200

        credentials = {"identifier": NUMBER, "password": PASSWORD}
        async with httpx2.AsyncClient(transport=api.transport, base_url=ORIGIN) as elsewhere:
            assert (await elsewhere.post("/api/v1/logins", json=credentials)).status_code == 201
            deleted = await _delete(api)
            assert (deleted.status_code, deleted.content) == (204, b"")
            problem(await elsewhere.get(ACCOUNT), 401, "not_signed_in")
            problem(await elsewhere.post("/api/v1/logins", json=credentials), 401, "wrong_credentials")
        problem(await api.get(ACCOUNT), 401, "not_signed_in")

        await api.road.settle()
        assert (await api.road.now(used)).state is SessionState.REVOKED
        assert (await api.road.now(under_way)).state is SessionState.REVOKED
        assert (await api.road.now(kept)).state is SessionState.PACKAGED
        for session, revoked in ((used, GB // 2), (under_way, GB)):
            account = api.road.ledger.state.account(session.session_id)
            assert account is not None
            assert (account.balances.revoked, account.balances.available) == (revoked, 0)
        async with httpx2.AsyncClient(transport=api.transport, base_url=ORIGIN) as anew:
            again = await anew.post("/api/v1/accounts", json=credentials)
            assert again.json()["account"]["user_id"] != api.page.user_id
            assert (await anew.get("/api/v1/sessions")).json()["sessions"] == []
            await _delete_again(anew, again.json()["csrf_token"])
    _nothing_is_left(tmp_path, api.page.user_id)


async def _delete_again(client: httpx2.AsyncClient, csrf_token: str) -> None:
    headers = {"X-CSRF-Token": csrf_token, "Idempotency-Key": "the-second-time"}
    answer = await client.request("DELETE", ACCOUNT, json={"password": PASSWORD}, headers=headers)
    assert answer.status_code == 204


def _nothing_is_left(folder: Path, user_id: str) -> None:
    with closing(sqlite3.connect(folder / "control.db")) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: repr(database.execute(f'SELECT * FROM "{name}"').fetchall()) for name in tables}
        cards = database.execute("SELECT eid, session_record FROM esim WHERE user_id = ?", (user_id,)).fetchall()
    assert [name for name, text in rows.items() if NUMBER[1:] in text] == []
    assert set(cards) == {(None, None)}
    # The events of the revocations, told afterwards, are pruned like all others; requests and logins are gone.
    assert [name for name in ("login_session", "idempotent_request") if user_id in rows[name]] == []

"""The API of moves: asked for, confirmed, listed, and cancelled by an owner who authenticated again."""

from pathlib import Path

import httpx2

from tests.support.api import PASSWORD, problem
from tests.support.session_api import ORIGIN, served
from tests.support.session_roads import GB

MOVES = "/api/v1/moves"


async def test_a_move_from_its_request_to_its_end(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.another("chidi@example.ng") as other:
        session = await api.road.stored(GB, api.page.user_id)
        body = {"esim_id": session.esim_id, "why": "lost"}
        problem(await other.send("POST", MOVES, body), 404, "unknown_esim")
        asked = await api.post(MOVES, body)
        assert (asked.status_code, asked.headers["location"]) == (201, MOVES)
        move = asked.json()
        assert (move["state"], move["why"], move["due_at"]) == ("waiting", "lost", "2026-11-24T09:00:00.000Z")
        await api.road.settle()
        problem(await api.post(MOVES, body), 409, "move_under_way")
        path = f"{MOVES}/{move['move_id']}"
        problem(await api.post(f"{path}/confirm", {"recovery_code": "guessed"}), 403, "move_not_confirmed")
        problem(await other.send("POST", f"{path}/confirm", {}), 404, "unknown_move")
        problem(await api.post(f"{path}/confirm", {}), 403, "move_not_confirmed")
        problem(await api.page.send("DELETE", path, {"password": "not the password"}), 401, "wrong_credentials")
        cancelled = await api.page.send("DELETE", path, {"password": PASSWORD})
        assert cancelled.json()["state"] == "cancelled"
        listed = (await api.get(MOVES)).json()
        assert [it["state"] for it in listed["moves"]] == ["cancelled"]
        assert listed["next"] is None


async def test_a_lost_phone_signs_out_all_other_devices(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        session = await api.road.stored(GB, api.page.user_id)
        credentials = {"identifier": "08031234567", "password": PASSWORD}
        async with httpx2.AsyncClient(transport=api.transport, base_url=ORIGIN) as elsewhere:
            assert (await elsewhere.post("/api/v1/logins", json=credentials)).status_code == 201
            assert (await elsewhere.get("/api/v1/account")).status_code == 200
            asked = await api.post(MOVES, {"esim_id": session.esim_id, "why": "lost"})
            assert asked.status_code == 201
            assert (await elsewhere.get("/api/v1/account")).status_code == 401
        assert (await api.get("/api/v1/account")).status_code == 200

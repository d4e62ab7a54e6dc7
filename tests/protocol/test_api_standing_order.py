"""The API of standing orders: made, due, carried out on certain WiFi alone, ended, exported and deleted."""

from pathlib import Path
from typing import Any

from kswifi.people.standing_order_store import count_standing_orders
from kswifi.sessions.network_access import CidrNetworkAccess
from tests.support.api import PASSWORD, problem
from tests.support.session_api import Served, served
from tests.support.session_roads import GB

PATH = "/api/v1/standing-order"
CARRY_OUT = f"{PATH}/carry-out"
BODY = {"offer_id": "free-1gb", "below_percent": 20}


def carrying(**more: Any) -> dict[str, Any]:
    return {"due_number": 1, "by": "person", **more}


async def due(api: Served) -> None:
    session = await api.road.stored(GB, api.page.user_id)
    made = await api.page.send("PUT", PATH, BODY)
    assert (made.status_code, made.json()["state"], made.json()["due"]) == (200, "on", False)
    await api.road.use(session, 900 * 10**6)
    await api.road.standing_watch.look()


async def test_a_standing_order_from_its_wish_to_its_end(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        nothing = (await api.get(PATH)).json()
        assert (nothing["standing_order"], nothing["limits"]["ignored_after_hours"]) == (None, 24)
        problem(await api.page.send("DELETE", PATH), 404, "unknown_standing_order")
        problem(await api.post(CARRY_OUT, carrying()), 404, "unknown_standing_order")
        await due(api)
        shown = (await api.get(PATH)).json()["standing_order"]
        assert (shown["due"], shown["due_number"]) == (True, 1)
        async with api.over_the_session() as cellular:
            problem(await cellular.send("POST", CARRY_OUT, carrying(on_wifi=True)), 403, "not_on_wifi")
        first = await api.post(CARRY_OUT, carrying(by="background"))
        assert first.status_code == 201, first.text
        session = first.json()["session"]
        assert first.headers["location"] == f"/api/v1/sessions/{session['session_id']}"
        assert (session["offer_id"], first.json()["standing_order"]["last_result"]) == ("free-1gb", "ordered")
        again = await api.post(CARRY_OUT, carrying())
        assert again.json()["session"]["session_id"] == session["session_id"]
        problem(await api.post(CARRY_OUT, carrying(due_number=2)), 409, "standing_order_not_due")
        assert len((await api.get("/api/v1/sessions")).json()["sessions"]) == 2
        assert (await api.get("/api/v1/account/export")).json()["standing_order"]["due_number"] == 1
        assert (await api.page.send("DELETE", PATH)).json()["state"] == "ended"
        deleted = await api.page.send("DELETE", "/api/v1/account", {"password": PASSWORD})
        assert deleted.status_code == 204, deleted.text
        assert (await api.road.database.read(count_standing_orders)).by_state == {}


async def test_nothing_is_ordered_over_an_unknown_network(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        await due(api)
        assert api.services.sessions is not None
        object.__setattr__(api.services.sessions, "network_access", CidrNetworkAccess(()))
        problem(await api.post(CARRY_OUT, carrying()), 409, "wifi_not_certain")
        assert (await api.get(PATH)).json()["standing_order"]["due"] is True
        assert (await api.post(CARRY_OUT, carrying(on_wifi=True))).status_code == 201


async def test_a_wish_has_exactly_one_condition_in_range(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        for body in (
            {"offer_id": "free-1gb"},
            {**BODY, "days_before_end": 1},
            {**BODY, "below_percent": 0},
            {**BODY, "below_percent": 100},
            {**BODY, "state": "on"},
        ):
            problem(await api.page.send("PUT", PATH, body), 422, "invalid_request")

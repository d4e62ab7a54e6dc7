"""The API of gifts: offered with a code, looked at, claimed by another account, and told in both statements."""

from datetime import timedelta
from pathlib import Path

from tests.support.api import PASSWORD, problem
from tests.support.session_api import ORIGIN, Served, served
from tests.support.session_roads import GB

GIFTS = "/api/v1/gifts"
MB = 10**6


async def test_a_gift_from_its_offer_to_both_statements(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.another("chidi@example.ng") as other:
        session = await api.road.stored(GB, api.page.user_id)
        body = {"session_id": session.session_id, "octets": 400 * MB}
        offered = await api.post(GIFTS, body, "one-and-the-same-key")
        assert (offered.status_code, offered.headers["location"]) == (201, GIFTS)
        again = await api.post(GIFTS, body, "one-and-the-same-key")
        assert again.json() == offered.json()
        gift = offered.json()
        assert (gift["state"], gift["role"], gift["link"]) == (
            "offered",
            "giver",
            f"{ORIGIN}/#/gift/{gift['code']}",
        )
        assert gift["qr_code_svg"].startswith("<svg")
        path = f"{GIFTS}/{gift['code'].lower().replace('-', '')}"
        problem(await other.send("POST", f"{path}/claim", {}), 503, "gift_not_ready")
        await api.road.settle()
        seen = (await other.client.get(path)).json()
        assert (seen["octets"], seen["claimable"]) == (400 * MB, True)
        problem(await api.post(f"{path}/claim", {}), 409, "gift_is_yours")
        claimed = await other.send("POST", f"{path}/claim", {})
        assert (claimed.status_code, claimed.json()["state"], claimed.json()["role"]) == (
            200,
            "claimed",
            "receiver",
        )
        assert (claimed.json()["code"], claimed.json()["qr_code_svg"]) == (None, None)
        problem(await api.page.send("DELETE", path), 409, "gift_taken")
        received = claimed.json()["session_id"]
        view = (await other.client.get(f"/api/v1/sessions/{received}")).json()
        assert (view["source"], view["allowance_octets"], view["balance"]["available"]) == ("gift", 400 * MB, 0)
        given = (await api.get(f"/api/v1/sessions/{session.session_id}")).json()
        assert (given["sent_octets"], given["balance"]["available"]) == (400 * MB, 600 * MB)
        for page, path_of_session, direction in ((api.page, session.session_id, "out"), (other, received, "in")):
            told = (await page.client.get(f"/api/v1/sessions/{path_of_session}/statement")).json()["transfers"]
            assert [(it["direction"], it["octets"], it["kind"]) for it in told] == [(direction, 400 * MB, "gift")]
            (listed,) = (await page.client.get(GIFTS)).json()["gifts"]
            assert listed["transfer_id"] == gift["transfer_id"]
            assert len((await page.client.get("/api/v1/account/export")).json()["gifts"]) == 1


async def test_a_gift_is_taken_back_and_gone(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.another("chidi@example.ng") as other:
        code = await _offered(api)
        problem(await other.send("DELETE", f"{GIFTS}/{code}"), 404, "unknown_gift")
        assert (await api.page.send("DELETE", f"{GIFTS}/{code}")).json()["state"] == "returning"
        await api.road.settle()
        assert (await api.page.send("DELETE", f"{GIFTS}/{code}")).json()["reason"] == "withdrawn"
        problem(await other.send("POST", f"{GIFTS}/{code}/claim", {}), 410, "gift_gone")
        assert (await other.client.get(f"{GIFTS}/{code}")).json()["claimable"] is False
        problem(await other.client.get(f"{GIFTS}/0000-0000-0000-0000"), 404, "unknown_gift")


async def test_the_list_of_gifts_is_read_in_pages(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        session = await api.road.stored(GB, api.page.user_id)
        made = []
        for number in range(5):
            body = {"session_id": session.session_id, "octets": (number + 1) * MB}
            made.append((await api.post(GIFTS, body)).json()["transfer_id"])
            api.road.clock.advance(timedelta(seconds=1))
        seen, after = list[str](), None
        while after is not None or not seen:
            query = f"?limit=2&after={after}" if after else "?limit=2"
            page = (await api.get(GIFTS + query)).json()
            seen += [it["transfer_id"] for it in page["gifts"]]
            after = page["next"]
        assert seen == made[::-1]


async def test_an_account_that_is_deleted_takes_its_unclaimed_gifts_back(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.another("chidi@example.ng") as other:
        code = await _offered(api)
        deleted = await api.page.send("DELETE", "/api/v1/account", {"password": PASSWORD})
        assert deleted.status_code == 204, deleted.text
        await api.road.settle()
        problem(await other.send("POST", f"{GIFTS}/{code}/claim", {}), 410, "gift_gone")


async def _offered(api: Served) -> str:
    session = await api.road.stored(GB, api.page.user_id)
    offered = await api.post(GIFTS, {"session_id": session.session_id, "octets": 400 * MB})
    await api.road.settle()
    code: str = offered.json()["code"]
    return code

"""The API of free data: what the app learns before it offers anything, and what helps."""

from dataclasses import replace
from pathlib import Path

from kswifi.free_data.budgets import set_budget
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules, WhenBudgetGone
from kswifi.free_data.waiting import how_many
from tests.support.api import PASSWORD, problem
from tests.support.session_api import Served, served

GB = 10**9
FREE = "/api/v1/free-data"


async def test_each_free_offer_says_whether_it_may_be_ordered_and_else_why(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        await api.order("free-3gb")
        told = (await api.get(FREE)).json()
        assert told | {"offers": None, "next": None} == {
            "octets": 5 * GB,
            "days": 30,
            "left_octets": 2 * GB,
            "unspent_room_octets": 2 * GB,
            "required": "nothing",
            "tranche_octets": None,
            "kyc_level": 0,
            "waiting": False,
            "offers": None,
            "next": None,
        }
        assert {one["offer_id"]: one["refusal"] and one["refusal"]["code"] for one in told["offers"]} == {
            "free-1gb": None,
            "free-3gb": "free_allowance_used_up",
            "free-5gb": "free_allowance_used_up",
        }
        refusal = told["offers"][1]["refusal"]
        assert refusal["do"] == "wait"
        assert refusal["facts"]["wait_until"].startswith("2026-12-23T09:00")
        refused = problem(
            await api.post("/api/v1/sessions", {"offer_id": "free-3gb"}), 409, "free_allowance_used_up"
        )
        assert refused["detail"] == refusal["words"]
        assert refused["facts"] == refusal["facts"] | {"do": "wait"}


async def test_tranches_are_shown_before_the_order_and_in_the_balance(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        _have(api, tranche_octets=GB // 4)
        assert (await api.get(FREE)).json()["tranche_octets"] == GB // 4
        shown = (await api.get(await api.order("free-1gb"))).json()["balance"]
        assert (shown["credited"], shown["available"], shown["withheld"]) == (GB // 4, GB // 4, GB - GB // 4)


async def test_a_device_is_known_again_by_its_signed_cookie_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        _have(api, device_allowance_octets=GB)
        await api.order("free-1gb")
        cookie = api.page.client.cookies["kswifi_device"]
        async with api.another("chidi@example.ng") as bola:
            bola.client.cookies.set("kswifi_device", cookie)
            again = await bola.send("POST", "/api/v1/sessions", {"offer_id": "free-1gb"})
            problem(again, 409, "device_allowance_used_up")
            bola.client.cookies.delete("kswifi_device")
            bola.client.cookies.set("kswifi_device", cookie[:-2] + "xx")  # not signed by us: a new device
            made = await bola.send("POST", "/api/v1/sessions", {"offer_id": "free-1gb"})
            assert made.status_code == 201
            assert "kswifi_device=" in made.headers["set-cookie"]
            assert "HttpOnly" in made.headers["set-cookie"]


async def test_who_finds_no_money_may_wait_and_leave(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        _have(api, cost_kobo_per_gb=20_000, when_budget_gone=WhenBudgetGone.WAITING_LIST)
        problem(await api.post(f"{FREE}/waiting", {"offer_id": "free-1gb"}), 409, "no_waiting_list")
        await api.road.database.write(
            lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, 19_999)
        )
        refused = problem(await api.post("/api/v1/sessions", {"offer_id": "free-1gb"}), 409, "free_budget_gone")
        assert refused["facts"]["do"] == "join_waiting_list"
        told = (await api.post(f"{FREE}/waiting", {"offer_id": "free-1gb"})).json()
        assert told["waiting"] is True
        assert (await api.page.send("DELETE", f"{FREE}/waiting")).status_code == 204
        assert (await api.get(FREE)).json()["waiting"] is False


async def test_who_is_gone_does_not_wait(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        _have(api, cost_kobo_per_gb=20_000, when_budget_gone=WhenBudgetGone.WAITING_LIST)
        await api.road.database.write(lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, 1))
        assert (await api.post(f"{FREE}/waiting", {"offer_id": "free-1gb"})).status_code == 200
        gone = await api.page.send("DELETE", "/api/v1/account", {"password": PASSWORD})
        assert gone.status_code == 204
        assert await api.road.database.read(how_many) == 0


def _have(api: Served, **rules: object) -> None:
    """Give the served installation other rules."""
    free_data = api.road.free_data
    assert isinstance(free_data.rules, FreeDataRules)
    free_data.rules = replace(free_data.rules, **rules)  # type: ignore[arg-type]

"""The commands that show and change what is bought from data providers."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.supply import store
from kswifi.supply.model import Money
from kswifi.supply.records import Mapping

PASS = Mapping("unlimited", "vtpass", "mtn", "mtn-data/mtn-1gb-350", 10**9, 7, Money(35_000, "NGN"))
MAPPING = Mapping("free-1gb", "esim_go", "", "esim_1GB_7D_NG_V2", 10**9, 7, Money(1250, "USD"))


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    async def prepare() -> None:
        path = Installation(tmp_path).control_database
        path.parent.mkdir(parents=True, exist_ok=True)
        database = Database(sqlite_url(path))
        await migrate(database)
        await database.write(lambda connection: store.put_mapping(connection, MAPPING))
        await database.close()

    asyncio.run(prepare())
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["providers", *arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_the_mapping_of_offers_is_listed(data_dir: Path) -> None:
    (found,) = json.loads(run("map", "--json"))["mappings"]
    assert (found["offer_id"], found["bundle_id"], found["price"]) == ("free-1gb", MAPPING.bundle_id, "USD 12.50")
    assert "esim_1GB_7D_NG_V2" in run("map")


def test_the_plan_of_a_pass_says_what_it_costs_and_whether_it_is_sold(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def map_pass() -> None:
        database = Database(sqlite_url(Installation(data_dir).control_database))
        await database.write(lambda connection: store.put_mapping(connection, PASS))
        await database.close()

    asyncio.run(map_pass())
    planned = CliRunner().invoke(app, ["plan", "--pass"])
    assert planned.exit_code == 1
    assert "NO PASS IS SOLD: a pass through data providers needs a limit" in planned.output
    monkeypatch.setenv("KSWIFI_PASS_FAIR_USE_OCTETS", "3000000000")
    planned = CliRunner().invoke(app, ["plan", "--pass"])
    assert planned.exit_code == 1
    assert "costs ₦262 more than it brings" in planned.output
    monkeypatch.setenv("KSWIFI_PASS_FAIR_USE_OCTETS", "2000000000")
    planned = CliRunner().invoke(app, ["plan", "--pass", "--json"])
    assert planned.exit_code == 0
    found = json.loads(planned.output)
    assert [it["margin_kobo"] for it in found["passes"]] == [8_800]
    assert found["passes"][0]["rows"][-1] == {"used_percent": 30, "bundles": 1, "margin_kobo": 43_800}
    (row,) = [it for it in json.loads(run("map", "--json"))["mappings"] if it["offer_id"] == "unlimited"]
    assert row["margin_kobo"] == 8_800
    assert CliRunner().invoke(app, ["plan"]).exit_code == 2


def test_nothing_is_bought_yet(data_dir: Path) -> None:
    assert json.loads(run("orders", "--json")) == {"orders": []}
    assert "No order is open" in run("orders")


def test_a_deposit_is_booked_once_with_the_cost_of_the_exchange(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSWIFI_DATA_PROVIDERS", "esim_go")
    monkeypatch.setenv("KSWIFI_ESIM_GO_API_KEY", "a-key")
    monkeypatch.setenv("KSWIFI_FX_RATES", "USD=1600")
    monkeypatch.setenv("KSWIFI_FX_RATES_ON", "2026-12-01")
    deposit = ["deposit", "esim_go", "--paid-kobo", "17000000", "--amount-minor", "10000", "--currency", "usd"]
    for _ in range(2):
        run(*deposit, "--reference", "bank-1")
    monkeypatch.delenv("KSWIFI_DATA_PROVIDERS")
    found = json.loads(run("reconcile", "--json"))
    assert found["prepaid_kobo"] == 16_000_000
    assert found["difference_kobo"] == -16_000_000

"""The figures of supply that wait for a provider or a person, and their metrics."""

from datetime import timedelta
from pathlib import Path

from kswifi.bootstrap.metrics.supply import SupplyMetrics
from kswifi.lab.rehearsal.providers.faults import Call, Fault, Wrong
from kswifi.supply.model import Money
from kswifi.supply.standing import standing_of
from kswifi.supply.upkeep import Upkeep
from tests.support.supply_roads import open_supply_road


async def test_a_pending_purchase_and_an_unconfirmed_cut_off_have_an_age(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        nothing = await road.database.read(standing_of)
        assert (nothing.pending_since, nothing.unconfirmed_since) == (None, None)
        road.running.faults.tell(Fault(Wrong.NEVER_ARRIVED, Call.ORDER))
        await road.transferred()
        pending = await road.database.read(standing_of)
        assert pending.pending_since is not None
        await road.settle(3_600, rounds=20)
        assert (await road.database.read(standing_of)).pending_since is None
        session = await road.transferred()
        await road.settle(30)
        road.running.engine.install(road.lab_line())
        await road.settle(1_800, rounds=12)
        road.running.faults.tell(Fault(Wrong.BROKEN, Call.SWITCH, times=100))
        await road.downloads.deactivate_session(session.esim_id)
        await road.settle(5)
        waiting = await road.database.read(standing_of)
        assert waiting.unconfirmed_since is not None
        road.clock.advance(timedelta(seconds=600))
        text = (await SupplyMetrics(road.supply, Upkeep(road.supply, tuple)).text()).decode()
        age = next(it for it in text.splitlines() if it.startswith("kswifi_supply_unconfirmed_cut_off_seconds "))
        assert float(age.split()[1]) >= 600


async def test_a_low_balance_and_old_rates_are_in_the_metrics(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        upkeep = Upkeep(road.supply, tuple)
        upkeep.balances["esim_go"] = Money(2_600, "USD")
        road.clock.advance(timedelta(days=3))
        text = (await SupplyMetrics(road.supply, upkeep).text()).decode()
        assert 'kswifi_supply_balance_minor{currency="USD",provider="esim_go"} 2600.0' in text
        assert "kswifi_supply_rates_old 1.0" in text
        left = next(it for it in text.splitlines() if it.startswith("kswifi_supply_purchases_left{"))
        assert float(left.split()[1]) < 3


async def test_a_bundle_that_left_the_catalogue_is_sold_out(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        assert (await road.database.read(standing_of)).sold_out == 0
        await Upkeep(road.supply, tuple).map_offers("esim_go", ())
        assert (await road.database.read(standing_of)).sold_out > 0

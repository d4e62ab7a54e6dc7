"""Passes through data providers: what their fair use costs, when none is sold, and sessions of a bundle each."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from kswifi.catalogue.model import Offer
from kswifi.kernel.quantities import Kobo, Octets
from kswifi.payments.model import PassPeriod, PassState, Payment, PaymentState
from kswifi.payments.rules import PassRules
from kswifi.payments.store import add_payment, add_period
from kswifi.providers.data.registry import capabilities_of
from kswifi.sessions.model import SessionState
from kswifi.supply.catalogue_mapping import best_mappings
from kswifi.supply.exchange import ExchangeRates
from kswifi.supply.model import Money
from kswifi.supply.passes import PassEconomics, pass_obstacle, sale_cost
from kswifi.supply.ports import Bundle
from kswifi.supply.records import Mapping
from tests.support.databases import START
from tests.support.supply_roads import ADA, open_supply_road

GB = 10**9
PERIOD = "00000000-0000-4000-8000-00000000a055"
PASS = Offer("unlimited", "Unlimited", None, Kobo(80_000), 7)
FREE = Offer("free-1gb", "1 GB", Octets(GB), Kobo(0), 30)
RATES = ExchangeRates({"USD": 16_000_000}, date(2026, 12, 1))
DATA = Mapping("unlimited", "vtpass", "mtn", "mtn-1gb", GB, 7, Money(35_000, "NGN"))
PAID = Payment(
    reference="kswifi-1",
    user_id=ADA,
    offer_id=PASS.id,
    title=PASS.title,
    amount_kobo=PASS.price_kobo,
    valid_days=PASS.valid_days,
    limit_octets=4 * GB,
    gateway="sandbox",
    sandbox=True,
    state=PaymentState.SETTLED,
    reason=None,
    checkout_url=None,
    created_at=START,
    settled_at=START,
    refunded_at=None,
    paid_kobo=PASS.price_kobo,
    fees_kobo=0,
    refund_kobo=None,
    channel=None,
)
ECONOMICS = PassEconomics(2 * GB, 150)


def test_a_sale_brings_the_price_less_the_fee_and_costs_all_bundles() -> None:
    found = sale_cost(PASS, DATA, RATES, PassEconomics(5 * GB // 2, 150))
    assert (found.income_kobo, found.bundles, found.cost_kobo) == (78_800, 3, 105_000)
    assert found.margin_kobo == -26_200
    assert sale_cost(FREE, replace(DATA, offer_id="free-1gb"), RATES, ECONOMICS).margin_kobo == -35_000
    unpriced = sale_cost(PASS, replace(DATA, price=Money(100, "EUR")), RATES, ECONOMICS)
    assert (unpriced.cost_kobo, unpriced.margin_kobo) == (None, None)


@pytest.mark.parametrize(
    ("mappings", "economics", "words"),
    [
        ([DATA], ECONOMICS, None),
        ([DATA], PassEconomics(None), "needs a limit"),
        ([], ECONOMICS, "no data provider"),
        ([replace(DATA, in_stock=False)], ECONOMICS, "no data provider"),
        ([replace(DATA, price=Money(100, "EUR"))], ECONOMICS, "exchange rate"),
        ([DATA], PassEconomics(3 * GB, 150), "more than it brings"),
        ([DATA, replace(DATA, network="glo", price=Money(50_000, "NGN"))], ECONOMICS, "more than it brings"),
        ([DATA], PassEconomics(3 * GB, 150, sells_at_a_loss=True), None),
    ],
)
def test_no_pass_is_sold_that_cannot_be_delivered_or_paid(
    mappings: list[Mapping], economics: PassEconomics, words: str | None
) -> None:
    found = pass_obstacle([FREE, PASS], mappings, RATES, economics)
    assert found is None if words is None else found is not None and words in found


def test_the_bundle_of_a_pass_is_that_with_the_cheapest_fair_use() -> None:
    bundles = [
        Bundle(f"{gigabytes}gb", "", ("NG",), None, gigabytes * GB, False, 7, Money(price, "USD"))
        for gigabytes, price in ((1, 300), (3, 600), (20, 2_000))
    ]
    capabilities = capabilities_of("esim_go")
    (found,) = best_mappings("esim_go", capabilities, [PASS], bundles, "NG", 9 * GB)
    assert found.bundle_id == "3gb"  # 3 of 6 dollars; the largest exceeds the fair use
    assert best_mappings("esim_go", capabilities, [PASS], bundles, "NG") == []


async def test_a_session_under_a_pass_has_one_bundle_until_the_fair_use_is_drawn(tmp_path: Path) -> None:
    rules = PassRules(fair_use_octets=4 * GB)
    async with open_supply_road(tmp_path, "esim_go", lag_seconds=1, passes=rules) as road:
        now = road.clock.now()
        ends_at = now + timedelta(days=7)
        state = PassState.GRANTED
        held = PassPeriod(PERIOD, ADA, "kswifi-1", "unlimited", state, now, ends_at, 7, 80_000, 4 * GB)

        def hold(connection: Connection) -> None:
            add_payment(connection, PAID)
            add_period(connection, held)

        await road.database.write(hold)
        drawn = 0
        while drawn < 4 * GB:
            session = await road.transferred("unlimited")
            await road.settle(30)
            (order,) = await road.orders(session)
            assert session.allowance_octets == min(order.bundle_octets, 4 * GB - drawn)
            drawn += session.allowance_octets
            engine, line = road.running.engine, road.lab_line()
            engine.install(line)
            engine.use(line, order.bundle_octets)
            await road.settle(120)
            assert (await road.now(session)).state is SessionState.EXHAUSTED
        assert road.bought > 1

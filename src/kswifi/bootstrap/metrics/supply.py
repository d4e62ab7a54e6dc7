"""What Prometheus reads of supply: unconfirmed cut-offs, pending purchases, balances, stock, the age of rates."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.supply.context import Supply
from kswifi.supply.standing import SupplyStanding, standing_of
from kswifi.supply.upkeep import Upkeep


class SupplyMetrics:
    """Metrics of supply, read from the database at each request."""

    def __init__(self, supply: Supply, upkeep: Upkeep) -> None:
        self._supply = supply
        self._upkeep = upkeep

    async def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        now = self._supply.database.clock.now()
        standing = await self._supply.database.read(standing_of)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_SupplyCollector(self._supply, self._upkeep, standing, now))
        return generate_latest(registry)


class _SupplyCollector(Collector):
    """The metrics of one moment."""

    def __init__(self, supply: Supply, upkeep: Upkeep, standing: SupplyStanding, now: datetime) -> None:
        self._supply = supply
        self._upkeep = upkeep
        self._standing = standing
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        standing = self._standing
        yield GaugeMetricFamily(
            "kswifi_supply_unconfirmed_cut_off_seconds",
            "Age of the oldest cut-off that a data provider has not confirmed; 0 without one.",
            value=_age(standing.unconfirmed_since, self._now),
        )
        yield GaugeMetricFamily(
            "kswifi_supply_pending_purchase_seconds",
            "Age of the oldest purchase whose result is not known, or that is not delivered; 0 without one.",
            value=_age(standing.pending_since, self._now),
        )
        yield GaugeMetricFamily(
            "kswifi_supply_need_a_person",
            "Orders with several candidates at the provider, and lines that a provider suspended by its own rules.",
            value=standing.ambiguous + standing.suspended_by_policy,
        )
        yield GaugeMetricFamily(
            "kswifi_supply_offers_sold_out", "Offers whose bundle is not in the catalogue.", value=standing.sold_out
        )
        yield GaugeMetricFamily(
            "kswifi_supply_rates_old",
            "1 if the exchange rates are more than a day old.",
            value=int(self._supply.rates.is_old(self._now.date())),
        )
        balances = GaugeMetricFamily(
            "kswifi_supply_balance_minor",
            "The prepaid balance at a data provider, in the smallest unit of its currency.",
            labels=["provider", "currency"],
        )
        for name, money in self._upkeep.balances.items():
            balances.add_metric([name, money.currency], money.amount_minor)
        yield balances
        purchases = GaugeMetricFamily(
            "kswifi_supply_purchases_left",
            "How many of the dearest mapped bundles the balance pays for: below 10 it is time to pay in.",
            labels=["provider"],
        )
        for name, money in self._upkeep.balances.items():
            dearest = standing.dearest.get((name, money.currency))
            if dearest:
                purchases.add_metric([name], money.amount_minor // dearest)
        yield purchases


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())

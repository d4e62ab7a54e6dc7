"""What Prometheus reads of free data: whose money is left, what was given, and which rule refused.

Read from the database when it asks: an operator changes budgets from another process. Labels are bounded: there are
at most a thousand budgets, and as many rules as there are refusals.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.database.engine import Database
from kswifi.free_data.figures import Committed, FreeDataCounts, FreeDataFigures, read_figures
from kswifi.free_data.model import Budget
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.service import FreeData

_MONEY: Final[tuple[tuple[str, str, Callable[[Budget], int]], ...]] = (
    ("total", "What a budget has in all", lambda it: it.total_kobo),
    ("reserved", "What live orders may still cost a budget", lambda it: it.reserved_kobo),
    ("spent", "What a budget's data was used for", lambda it: it.spent_kobo),
    ("left", "What can still be reserved of a budget, its ceilings apart", lambda it: it.left_kobo),
)


class FreeDataMetrics:
    """Metrics of free data."""

    def __init__(self, database: Database, free_data: FreeData) -> None:
        self._database = database
        self._free_data = free_data

    async def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        rules = self._free_data.rules
        figures = await self._database.read(
            lambda connection: read_figures(connection, self._database.clock.now(), rules)
        )
        registry = CollectorRegistry(auto_describe=False)
        registry.register(FreeDataCollector(figures, rules, self._free_data.counts))
        # A thousand budgets take 0.15 s to write down: charging's answers are not to wait for that.
        return await asyncio.to_thread(generate_latest, registry)


class FreeDataCollector(Collector):
    """The metrics of one moment; a ceiling that is not set is not there."""

    def __init__(self, figures: FreeDataFigures, rules: FreeDataRules, counts: FreeDataCounts) -> None:
        self._figures = figures
        self._rules = rules
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._of_budgets()
        rules, in_all = self._rules, self._figures.committed_in_all
        yield _ceilings("kswifi_free_data_ceiling_kobo", [], [([], rules.daily_kobo, rules.monthly_kobo)])
        yield _committed("kswifi_free_data_committed_kobo", [], [([], in_all)])
        yield GaugeMetricFamily(
            "kswifi_free_data_cost_kobo_per_gb", "What 10^9 octets cost, as it is set.", rules.cost_kobo_per_gb
        )
        yield GaugeMetricFamily("kswifi_free_data_waiting", "People on the waiting list.", self._figures.waiting)
        yield GaugeMetricFamily(
            "kswifi_free_data_stopped", "1 while the kill switch is on.", int(self._figures.stopped is not None)
        )
        yield CounterMetricFamily("kswifi_free_data_grants", "Free orders that were given.", self._counts.given)
        refusals = CounterMetricFamily(
            "kswifi_free_data_refusals", "Free orders that were refused, by the rule's code.", labels=["rule"]
        )
        for rule, count in self._counts.refusals.items():
            refusals.add_metric([rule], count)
        yield refusals

    def _of_budgets(self) -> Iterator[Metric]:
        labels = ["budget", "kind"]
        every = [(it, [it.budget_id, str(it.kind)]) for it in self._figures.budgets]
        for name, words, kobo_of in _MONEY:
            metric = GaugeMetricFamily(f"kswifi_budget_{name}_kobo", f"{words}, in kobo.", labels=labels)
            for budget, values in every:
                metric.add_metric(values, kobo_of(budget))
            yield metric
        yield _ceilings(
            "kswifi_budget_ceiling_kobo", labels, [(values, it.daily_kobo, it.monthly_kobo) for it, values in every]
        )
        yield _committed(
            "kswifi_budget_committed_kobo",
            labels,
            [(values, self._figures.committed[it.budget_id]) for it, values in every],
        )


def _ceilings(name: str, labels: list[str], rows: list[tuple[list[str], int | None, int | None]]) -> Metric:
    metric = GaugeMetricFamily(name, "What a local day or month may commit.", labels=[*labels, "period"])
    for values, daily_kobo, monthly_kobo in rows:
        for period, kobo in (("day", daily_kobo), ("month", monthly_kobo)):
            if kobo is not None:
                metric.add_metric([*values, period], kobo)
    return metric


def _committed(name: str, labels: list[str], rows: list[tuple[list[str], Committed]]) -> Metric:
    metric = GaugeMetricFamily(
        name, "What orders of this local day or month have committed.", labels=[*labels, "period"]
    )
    for values, committed in rows:
        metric.add_metric([*values, "day"], committed.day_kobo)
        metric.add_metric([*values, "month"], committed.month_kobo)
    return metric

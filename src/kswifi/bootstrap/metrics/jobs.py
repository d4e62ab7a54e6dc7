"""What Prometheus reads of jobs: the entries of the outbox by state, and the stuck ones by kind.

Read from the database, because several workers, also of other processes, handle the entries.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.database.engine import Database
from kswifi.outbox.leases import counts, stuck_by_kind
from kswifi.outbox.model import EntryState


class JobMetrics:
    """Metrics of the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        figures = await self._database.read(lambda connection: (counts(connection), stuck_by_kind(connection)))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(*figures))
        return generate_latest(registry)


class _Collector(Collector):
    """The metrics of one moment; each state is there, also with 0."""

    def __init__(self, by_state: dict[str, int], stuck: dict[str, int]) -> None:
        self._by_state = by_state
        self._stuck = stuck

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        jobs = GaugeMetricFamily("kswifi_jobs", "Jobs by state; a stuck one needs a person.", labels=["state"])
        for state in EntryState:
            jobs.add_metric([state], self._by_state.get(state, 0))
        yield jobs
        stuck = GaugeMetricFamily("kswifi_jobs_stuck", "Jobs that were given up, by kind.", labels=["kind"])
        for kind, count in self._stuck.items():
            stuck.add_metric([kind], count)
        yield stuck

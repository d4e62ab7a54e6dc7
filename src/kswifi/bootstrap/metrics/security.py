"""What Prometheus reads of refusals that can be attacks: failed sign-ins, lock-outs, CSRF and rate refusals."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.api.edge.security_refusals import KINDS, SecurityRefusals


class SecurityMetrics(Collector):
    """Metrics of the API's refusals, by kind; each kind is there from the start, with 0."""

    def __init__(self, refusals: SecurityRefusals) -> None:
        self._refusals = refusals
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        refusals = CounterMetricFamily(
            "kswifi_security_refusals", "Requests that were refused and may be attacks, by kind.", labels=["kind"]
        )
        for kind in KINDS:
            refusals.add_metric([kind], self._refusals.counts[kind])
        yield refusals

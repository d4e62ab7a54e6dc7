"""What Prometheus reads of ES2+: how many calls each function had, by outcome."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.servers.rsp.es2plus import Calls


class Es2PlusMetrics(Collector):
    """Metrics of the calls of operators. A refused requester is the outcome 1.1/1.1 (SGP.22, 5.2.6)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    async def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        calls = CounterMetricFamily(
            "kswifi_es2plus_calls",
            "Calls of operators by function and outcome: done, malformed, or the codes of the refusal.",
            labels=["function", "outcome"],
        )
        for (function, outcome), count in self._calls.items():
            calls.add_metric([function, outcome], count)
        yield calls

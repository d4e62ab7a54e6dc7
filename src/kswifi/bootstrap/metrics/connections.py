"""What Prometheus reads of connections: how many are open, and why others were closed or refused."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.listeners.pool import ConnectionPool
from kswifi.servers.diameter.node import DiameterNode


class ConnectionMetrics(Collector):
    """Metrics of the HTTP listeners' connections and of those that the Diameter node closed or refused."""

    def __init__(self, pool: ConnectionPool, node: DiameterNode) -> None:
        self._pool = pool
        self._node = node
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        held = GaugeMetricFamily(
            "kswifi_connections", "Connections that are open, by what they are at.", labels=["listener", "phase"]
        )
        for (listener, phase), count in self._pool.held().items():
            held.add_metric([listener, phase], count)
        yield held
        closed = CounterMetricFamily(
            "kswifi_connections_closed",
            "Connections that the server closed or refused, by cause; malformed requests are among them.",
            labels=["listener", "cause"],
        )
        for (listener, cause), count in self._pool.counts.items():
            closed.add_metric([listener, cause], count)
        for reason, count in self._node.closed.items():
            closed.add_metric(["diameter", reason], count)
        yield closed
        exhausted = CounterMetricFamily(
            "kswifi_descriptors_exhausted", "How often no descriptor was left to accept by.", labels=["listener"]
        )
        for listener, count in (self._pool.exhaustions + self._node.exhaustions).items():
            exhausted.add_metric([listener], count)
        yield exhausted

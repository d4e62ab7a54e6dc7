"""What Prometheus reads of the ballast and of shortages of disk space."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.data_directory.ballast import Ballast


class DiskMetrics(Collector):
    """Metrics of the space that is kept for a full disk."""

    def __init__(self, ballast: Ballast) -> None:
        self._ballast = ballast
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        ballast = self._ballast
        yield GaugeMetricFamily("kswifi_disk_ballast_octets", "Space kept for a full disk.", ballast.octets)
        yield GaugeMetricFamily("kswifi_disk_short", "1 while the disk is full, or nearly so.", ballast.is_short)
        yield CounterMetricFamily("kswifi_disk_shortages", "How often the disk was found full.", ballast.shortages)

"""What Prometheus reads of notifications: how many messages to push services had which outcome."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.notifications.follower import AlertFollower, PushOutcome


class NotificationMetrics(Collector):
    """Metrics of messages to push services; each outcome is there from the start, with 0."""

    def __init__(self, follower: AlertFollower) -> None:
        self._follower = follower
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    async def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        messages = CounterMetricFamily(
            "kswifi_push_messages",
            "Messages to push services, by outcome; not_identified: the service refuses this server (401, 403).",
            labels=["outcome"],
        )
        for outcome in PushOutcome:
            messages.add_metric([outcome], self._follower.outcomes[outcome])
        yield messages

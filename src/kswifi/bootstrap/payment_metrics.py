"""What Prometheus reads of payments: webhooks by what became of them, and what waits for a person."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from kswifi.database.engine import Database
from kswifi.payments.gateway_items import open_disputes, unclaimed_receipts
from kswifi.payments.reconciliation import findings_left
from kswifi.payments.service import PaymentService
from kswifi.payments.store import needing_a_person


class PaymentMetrics:
    """Metrics of payments. What waits for a person is read from the database: a command may have changed it."""

    def __init__(self, database: Database, service: PaymentService) -> None:
        self._database = database
        self._service = service

    async def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        gateway = self._service.gateway.name

        def look(connection: Connection) -> dict[str, int]:
            return {
                "refund": len(needing_a_person(connection)),
                "dispute": len(open_disputes(connection)),
                "unclaimed": len(unclaimed_receipts(connection)),
                "difference": len(findings_left(connection, gateway)),
            }

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_PaymentCollector(self._service, await self._database.read(look)))
        return generate_latest(registry)


class _PaymentCollector(Collector):
    """The metrics of one moment."""

    def __init__(self, service: PaymentService, waiting: dict[str, int]) -> None:
        self._service = service
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        webhooks = CounterMetricFamily(
            "kswifi_payment_webhooks",
            "Webhooks of the gateway, by what became of them.",
            labels=["outcome"],
        )
        for outcome in ("noted", "signature_wrong"):  # there from the start, so that an alert sees the first one
            webhooks.add_metric([outcome], self._service.webhooks[outcome])
        for outcome, count in self._service.webhooks.items():
            if outcome not in ("noted", "signature_wrong"):
                webhooks.add_metric([outcome], count)
        yield webhooks
        waiting = GaugeMetricFamily(
            "kswifi_payments_need_a_person", "What `kswifi payments check` lists, by kind.", labels=["kind"]
        )
        for kind, count in self._waiting.items():
            waiting.add_metric([kind], count)
        yield waiting

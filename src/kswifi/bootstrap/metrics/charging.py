"""What Prometheus reads of charging: taken from counters when it asks, so that requests pay nothing for it."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from kswifi.charging.request_state import LATENCY_BOUNDS
from kswifi.charging.service import ChargingService
from kswifi.ledger.batch import LedgerFigures
from kswifi.servers.diameter.node import DiameterNode
from kswifi.servers.diameter.peer_rules import REASONS

_REASONS: Final = ("replaced", "silent", "lost")


class ChargingMetrics(Collector):
    """Metrics of the charging service, its node and the ledger."""

    def __init__(self, service: ChargingService, node: DiameterNode, ledger: Callable[[], LedgerFigures]) -> None:
        self._service = service
        self._node = node
        self._ledger = ledger
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield them; a part each."""
        yield from self._requests()
        yield from self._sessions()
        yield from self._of_ledger()

    def _requests(self) -> Iterator[Metric]:
        counters = self._service.counters
        requests = CounterMetricFamily(
            "kswifi_gy_requests", "Credit-Control-Requests by CC-Request-Type.", labels=["type"]
        )
        for kind, count in counters.requests.items():
            requests.add_metric([kind.lower()], count)
        yield requests
        results = CounterMetricFamily("kswifi_gy_results", "Their answers by Result-Code.", labels=["code"])
        for code, count in counters.results.items():
            results.add_metric([str(int(code))], count)
        yield results
        latency = HistogramMetricFamily(
            "kswifi_gy_latency_seconds", "From a request's arrival until its answer is durable and sent."
        )
        total, buckets = 0, []
        for bound, count in zip((*map(str, LATENCY_BOUNDS), "+Inf"), counters.latencies, strict=True):
            total += count
            buckets.append((bound, float(total)))
        latency.add_metric([], buckets, counters.latency_seconds)
        yield latency
        notices = CounterMetricFamily(
            "kswifi_gy_notices",
            "Re-Auth- and Abort-Session-Requests by what became of them.",
            labels=["kind", "answer"],
        )
        for what, count in self._service.notices.answers.items():
            notices.add_metric(what.split(" ", 1), count)
        yield notices
        refused = CounterMetricFamily(
            "kswifi_diameter_peers_refused", "Connections of peers that were refused, by reason.", labels=["reason"]
        )
        for reason in REASONS:
            refused.add_metric([reason], self._node.refused_peers.by_reason[reason])
        yield refused
        yield CounterMetricFamily(
            "kswifi_diameter_refusals", "Requests that were refused before any application.", self._node.refusals
        )

    def _sessions(self) -> Iterator[Metric]:
        counters = self._service.counters
        yield GaugeMetricFamily(
            "kswifi_charging_sessions", "ChargingSessions that are open.", self._service.open_sessions
        )
        settled = CounterMetricFamily(
            "kswifi_charging_sessions_settled", "ChargingSessions settled without a TERMINATION.", labels=["cause"]
        )
        for cause, count in zip(_REASONS, (counters.orphans, counters.silent, counters.lost), strict=True):
            settled.add_metric([cause], count)
        yield settled
        yield CounterMetricFamily(
            "kswifi_overrun_octets", "Octets used that nothing was left for.", counters.overrun_octets
        )
        yield CounterMetricFamily(
            "kswifi_unbooked_octets", "Octets of sessions that nobody knows.", counters.unbooked_octets
        )
        yield GaugeMetricFamily("kswifi_diameter_peers", "Connections of peers.", len(self._node.peers))
        yield GaugeMetricFamily(
            "kswifi_gy_requests_waiting", "Requests that are being committed.", self._service.waiting
        )

    def _of_ledger(self) -> Iterator[Metric]:
        figures = self._ledger()
        yield CounterMetricFamily(
            "kswifi_ledger_commands", "Commands answered since the start.", figures.answered_commands
        )
        yield CounterMetricFamily("kswifi_ledger_batches", "Records of the journal.", figures.durable_sequence)
        yield GaugeMetricFamily(
            "kswifi_ledger_commands_waiting", "Commands that wait for the journal.", figures.waiting_commands
        )
        yield GaugeMetricFamily(
            "kswifi_ledger_batches_in_flight", "Batches given to the writer.", figures.records_in_flight
        )
        yield GaugeMetricFamily(
            "kswifi_ledger_reservations",
            "Reservations, closed ones included while they are remembered.",
            figures.reservations,
        )

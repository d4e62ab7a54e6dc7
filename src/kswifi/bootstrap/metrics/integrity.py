"""What Prometheus reads of the checks of stored data."""

from collections.abc import Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.ledger.storage.integrity import LedgerCheck


class Checked(Protocol):
    """The results of the last checks."""

    ledger: LedgerCheck | None
    backup_damage: str | None
    checked_at: float


class IntegrityMetrics(Collector):
    """Metrics of the last check of the ledger and of the last backup."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        checked = self._checked
        ledger = checked.ledger or LedgerCheck(0, 0, (), ())
        yield GaugeMetricFamily(
            "kswifi_integrity_checked_timestamp_seconds",
            "When the last check of stored data ended, in Unix seconds; 0 before the first.",
            checked.checked_at,
        )
        yield GaugeMetricFamily("kswifi_ledger_damaged", "1 if the ledger is damaged.", bool(ledger.damage))
        yield GaugeMetricFamily(
            "kswifi_ledger_snapshots_damaged",
            "Snapshots of the ledger that are damaged.",
            len(ledger.damaged_snapshots),
        )
        yield GaugeMetricFamily(
            "kswifi_backup_damaged", "1 if the last backup is damaged.", checked.backup_damage is not None
        )

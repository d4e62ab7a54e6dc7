"""What Prometheus reads for the operation of the server: rows by state, jobs, lags, backup, disk and process."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Column, Connection, func, select

import kswifi
from kswifi.charging_records import store as records_store
from kswifi.data_directory.backup_record import BACKUP, COPY, read_backup_record
from kswifi.database.engine import Database
from kswifi.kernel.clock import monotonic_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.outbox.model import EntryState
from kswifi.outbox.sql import outbox_entry
from kswifi.payments.model import PaymentState
from kswifi.payments.sql import payment
from kswifi.people.standing_order_model import StandingOrderState
from kswifi.people.standing_order_store import StandingOrderCounts, count_standing_orders
from kswifi.phone_verification.model import CodeCounts
from kswifi.sessions import balance_store
from kswifi.sessions.model import SessionState
from kswifi.sessions.sql import internet_session

COUNT_ROWS_SECONDS: Final = 60.0
"""Rows by state are counted at most this often: the count reads an index entry for each row."""


@dataclass(frozen=True, slots=True)
class _Jobs:
    by_state: dict[str, int]
    oldest_due_at: datetime | None
    projected: int
    recorded: int


@dataclass(slots=True)
class _Rows:
    """Rows by state, and when they were counted."""

    sessions: dict[str, int] = field(default_factory=dict)
    payments: dict[str, int] = field(default_factory=dict)
    standing_orders: StandingOrderCounts = field(default_factory=lambda: StandingOrderCounts({}, 0))
    counted_at: float = float("-inf")


class OperationsMetrics:
    """Metrics of the whole server, read when Prometheus asks."""

    def __init__(self, database: Database, ledger: LedgerClient, data_dir: Path, codes: CodeCounts) -> None:
        self._database = database
        self._ledger = ledger
        self._data_dir = data_dir
        self._codes = codes
        self._rows = _Rows()
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)

    async def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        if monotonic_seconds() - self._rows.counted_at >= COUNT_ROWS_SECONDS:
            self._rows = await self._database.read(_count_rows)
        jobs = await self._database.read(_look_at_jobs)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            _OperationsCollector(
                rows=self._rows,
                jobs=jobs,
                durable_sequence=self._ledger.figures.durable_sequence,
                codes=self._codes,
                data_dir=self._data_dir,
                now=self._database.clock.now(),
            )
        )
        return generate_latest(registry) + generate_latest(self._process)


class _OperationsCollector(Collector):
    """The metrics of one moment."""

    def __init__(
        self, *, rows: _Rows, jobs: _Jobs, durable_sequence: int, codes: CodeCounts, data_dir: Path, now: datetime
    ) -> None:
        self._rows = rows
        self._jobs = jobs
        self._durable_sequence = durable_sequence
        self._codes = codes
        self._data_dir = data_dir
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield InfoMetricFamily("kswifi_build", "The version that runs.", {"version": kswifi.__version__})
        yield _by_state("kswifi_sessions", "InternetSessions by state.", list(SessionState), self._rows.sessions)
        yield _by_state("kswifi_payments", "Payments by state.", list(PaymentState), self._rows.payments)
        standing, states = self._rows.standing_orders, list(StandingOrderState)
        yield _by_state("kswifi_standing_orders", "Standing orders by state.", states, standing.by_state)
        yield GaugeMetricFamily(
            "kswifi_standing_orders_due", "Standing orders whose next session can be ordered.", standing.due
        )
        codes = CounterMetricFamily(
            "kswifi_codes",
            "Codes by text message and e-mail since the start, by what became of them.",
            labels=["provider", "outcome"],
        )
        for (provider, outcome), count in self._codes.items():
            codes.add_metric([provider, outcome], count)
        yield codes
        yield from self._of_jobs()
        yield from self._of_backup()
        usage = shutil.disk_usage(self._data_dir)
        yield GaugeMetricFamily("kswifi_disk_free_octets", "Free space at the data directory.", usage.free)
        yield GaugeMetricFamily("kswifi_disk_size_octets", "Size of the file system that holds it.", usage.total)

    def _of_jobs(self) -> Iterator[Metric]:
        jobs = self._jobs
        states = [EntryState.WAITING, EntryState.STUCK]
        yield _by_state("kswifi_jobs", "Jobs of the outbox that wait, or are stuck.", states, jobs.by_state)
        late = 0.0 if jobs.oldest_due_at is None else max(0.0, (self._now - jobs.oldest_due_at).total_seconds())
        yield GaugeMetricFamily("kswifi_jobs_oldest_due_seconds", "For how long the oldest job has been due.", late)
        lag = GaugeMetricFamily(
            "kswifi_journal_lag_records",
            "Records of the journal that a reader has not read yet.",
            labels=["reader"],
        )
        for reader, position in (("projector", jobs.projected), ("charging_records", jobs.recorded)):
            lag.add_metric([reader], max(0, self._durable_sequence - position))
        yield lag

    def _of_backup(self) -> Iterator[Metric]:
        for name, words, record in (
            ("kswifi_backup_age_seconds", "Since the last complete `kswifi backup`; absent if none.", BACKUP),
            ("kswifi_copy_age_seconds", "What the copy of `kswifi copy` is behind; absent if none.", COPY),
        ):
            age = GaugeMetricFamily(name, words)
            if (found := read_backup_record(self._data_dir, record)) is not None:
                age.add_metric([], (self._now - found.at).total_seconds())
            yield age


def _by_state(name: str, words: str, states: Sequence[str], counts: dict[str, int]) -> Metric:
    metric = GaugeMetricFamily(name, words, labels=["state"])
    for state in states:
        metric.add_metric([str(state)], counts.get(str(state), 0))
    return metric


def _count_rows(connection: Connection) -> _Rows:
    return _Rows(
        sessions=_counts(connection, internet_session.c.state),
        payments=_counts(connection, payment.c.state),
        standing_orders=count_standing_orders(connection),
        counted_at=monotonic_seconds(),
    )


def _counts(connection: Connection, column: Column[str]) -> dict[str, int]:
    return {str(value): int(n) for value, n in connection.execute(select(column, func.count()).group_by(column))}


def _look_at_jobs(connection: Connection) -> _Jobs:
    t = outbox_entry.c
    live = t.state.in_([EntryState.WAITING, EntryState.STUCK])
    counts = connection.execute(select(t.state, func.count()).where(live).group_by(t.state))
    return _Jobs(
        by_state={str(state): int(count) for state, count in counts},
        oldest_due_at=connection.scalar(select(func.min(t.run_at)).where(t.state == EntryState.WAITING)),
        projected=balance_store.read_position(connection, name=balance_store.STATES)[0],
        recorded=records_store.read_sequence(connection),
    )

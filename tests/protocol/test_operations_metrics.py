"""What an operator alerts on: sessions and jobs by state, lags, backup age, disk."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, update

from kswifi.bootstrap.metrics import operations
from kswifi.bootstrap.metrics.operations import OperationsMetrics
from kswifi.data_directory.backup_record import BackupRecord, write_backup_record
from kswifi.outbox.sql import outbox_entry
from kswifi.phone_verification.model import CodeCounts
from kswifi.sessions.jobs import PREPARE
from tests.support.session_api import served

Samples = Mapping[tuple[str, tuple[str, ...]], float]


async def samples(metrics: OperationsMetrics) -> Samples:
    """Read the metrics as Prometheus does: a value for each name and label values, by the order of label names."""
    text = (await metrics.text()).decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_states_lags_and_ages_follow_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "COUNT_ROWS_SECONDS", 0.0)
    async with served(tmp_path) as api:
        database, codes = api.road.database, CodeCounts()
        metrics = OperationsMetrics(database, api.road.ledger, tmp_path, codes)
        before = await samples(metrics)
        assert before["kswifi_sessions", ("packaged",)] == 0
        assert before["kswifi_jobs", ("stuck",)] == 0
        assert ("kswifi_backup_age_seconds", ()) not in before
        assert before["kswifi_disk_free_octets", ()] > 0
        assert before["process_cpu_seconds_total", ()] > 0

        answer = await api.post("/api/v1/sessions", {"offer_id": "free-1gb"})
        assert answer.status_code == 201
        ordered = await samples(metrics)
        assert ordered["kswifi_sessions", ("ordered",)] == 1
        assert ordered["kswifi_jobs", ("waiting",)] == 2  # prepare now, expire in some days

        later = database.clock.now() - timedelta(seconds=500)

        def make_due(connection: Connection) -> None:
            connection.execute(update(outbox_entry).where(outbox_entry.c.kind == PREPARE).values(run_at=later))

        await database.write(make_due)
        assert (await samples(metrics))["kswifi_jobs_oldest_due_seconds", ()] == pytest.approx(500, abs=5)

        await api.road.worker.run_until_idle()
        assert (await samples(metrics))["kswifi_journal_lag_records", ("projector",)] >= 1
        await api.road.settle()
        settled = await samples(metrics)
        assert settled["kswifi_journal_lag_records", ("projector",)] == 0
        assert settled["kswifi_journal_lag_records", ("charging_records",)] >= 1  # nothing makes records here
        assert settled["kswifi_sessions", ("packaged",)] == 1
        assert settled["kswifi_jobs", ("waiting",)] == 1
        assert settled["kswifi_jobs_oldest_due_seconds", ()] == 0

        codes["termii", "sent"] += 2
        write_backup_record(tmp_path, BackupRecord(database.clock.now() - timedelta(hours=1), "/mnt/it", 1))
        after = await samples(metrics)
        assert after["kswifi_codes_total", ("sent", "termii")] == 2
        assert after["kswifi_backup_age_seconds", ()] == pytest.approx(3600, abs=5)


async def test_rows_are_not_counted_at_every_scrape(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        metrics = OperationsMetrics(api.road.database, api.road.ledger, tmp_path, CodeCounts())
        await metrics.text()
        await api.order()
        assert (await samples(metrics))["kswifi_sessions", ("packaged",)] == 0

"""Check the data directory: its parts, the age of its backup, its jobs, its budgets and its certificates."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from sqlalchemy import Connection, func, select

from kswifi.data_directory.backup_record import read_backup_record
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database
from kswifi.doctor.model import Finding, Verdict, above, below
from kswifi.free_data.figures import FreeDataFigures, read_figures
from kswifi.free_data.safeguards import missing_safeguards
from kswifi.free_data.unlimited_cost_warnings import left_open
from kswifi.kernel.clock import Clock
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.quantities import format_naira
from kswifi.outbox.model import EntryState
from kswifi.outbox.sql import outbox_entry
from kswifi.settings import Settings

WARN_BACKUP_HOURS: Final = 26.0
"""A daily backup, with two hours for a late start."""
FAIL_BACKUP_HOURS: Final = 8 * 24.0
WARN_CERTIFICATE_DAYS: Final = 30
FAIL_CERTIFICATE_DAYS: Final = 7
WARN_JOB_SECONDS: Final = 300.0
FAIL_JOB_SECONDS: Final = 3600.0
"""A job that is due waits for at most 300 s between two attempts."""
WARN_BUDGET_PERCENT: Final = 90
_LARGEST_CERTIFICATE_OCTETS: Final = 100_000
_MOST_CERTIFICATE_FILES: Final = 2_000


def check_parts(installation: Installation) -> Finding:
    """Check that no part of the data directory is lost."""
    folder = installation.data_dir
    if not installation.has_database:
        return Finding("data", Verdict.WARNING, f"{folder} holds no data yet: the server has not started here")
    try:
        installation.check()
    except KswifiError as error:
        return Finding("data", Verdict.FAILED, error.message)
    if folder.stat().st_mode & 0o077:
        return Finding("data", Verdict.FAILED, f"other users may enter {folder}: chmod 700 {folder}")
    return Finding("data", Verdict.OK, f"all parts are in {folder}")


def check_backup(data_dir: Path, now: datetime) -> Finding:
    """Judge the age of the last `kswifi backup`."""
    record = read_backup_record(data_dir)
    if record is None:
        return Finding("backup", Verdict.WARNING, "no backup was made: `kswifi backup FILE`, daily")
    hours = (now - record.at) / timedelta(hours=1)
    verdict = above(hours, warn=WARN_BACKUP_HOURS, fail=FAIL_BACKUP_HOURS)
    return Finding("backup", verdict, f"{hours:.1f} hours old: {record.path}")


async def check_database(settings: Settings, installation: Installation, clock: Clock) -> list[Finding]:
    """Check the jobs and the budgets in the control database. It is not changed, and a server may use it."""
    if not installation.has_database:
        return []
    rules = settings.free_rules

    def look(connection: Connection) -> tuple[dict[str, int], datetime | None, FreeDataFigures]:
        counts = {
            str(state): int(count)
            for state, count in connection.execute(
                select(outbox_entry.c.state, func.count()).group_by(outbox_entry.c.state)
            )
        }
        oldest = connection.scalar(
            select(func.min(outbox_entry.c.run_at)).where(outbox_entry.c.state == EntryState.WAITING)
        )
        return counts, oldest, read_figures(connection, clock.now(), rules)

    database = Database(installation.database_url, clock)
    try:
        counts, oldest, figures = await database.read(look)
    except (KswifiError, sqlite3.Error) as error:
        return [Finding("database", Verdict.FAILED, str(error))]
    finally:
        await database.close()
    jobs = judge_jobs(counts.get("waiting", 0), counts.get("stuck", 0), oldest, clock.now())
    open_ends = (*missing_safeguards(rules, figures.budgets), *left_open(rules, figures.budgets))
    return [jobs, judge_budgets(figures, open_ends)]


def judge_jobs(waiting: int, stuck: int, oldest_due: datetime | None, now: datetime) -> Finding:
    """Judge the outbox: a stuck job needs a person, and a job that is long due means that no worker takes it."""
    late = 0.0 if oldest_due is None else max(0.0, (now - oldest_due).total_seconds())
    verdict = above(late, warn=WARN_JOB_SECONDS, fail=FAIL_JOB_SECONDS)
    if stuck:
        verdict = max(verdict, Verdict.WARNING)
    return Finding("jobs", verdict, f"{waiting} waiting, the oldest due for {late:.0f} s; {stuck} stuck")


def judge_budgets(figures: FreeDataFigures, unlimited: tuple[str, ...]) -> Finding:
    """Judge the budgets of free data: a limit that is missing, or a budget that is nearly gone."""
    if figures.stopped is not None:
        return Finding("budgets", Verdict.WARNING, f"free data is stopped: {figures.stopped}")
    low = [it for it in figures.budgets if it.committed_percent >= WARN_BUDGET_PERCENT]
    if low:
        words = ", ".join(f"{it.budget_id} has {format_naira(it.left_kobo)} left" for it in low)
        return Finding("budgets", Verdict.WARNING, words)
    if unlimited:
        return Finding("budgets", Verdict.WARNING, f"{unlimited[0]} (`kswifi budget show`)")
    return Finding("budgets", Verdict.OK, f"{len(figures.budgets)} budgets, none above {WARN_BUDGET_PERCENT} %")


def check_certificates(settings: Settings, installation: Installation, now: datetime) -> Finding:
    """Judge the certificate that expires first, among those of the data directory and of the settings."""
    found = sorted(_expiries(settings, installation))
    if not found:
        return Finding("certificates", Verdict.OK, "none in use")
    expires, path = found[0]
    days = (expires - now) / timedelta(days=1)
    verdict = below(days, warn=WARN_CERTIFICATE_DAYS, fail=FAIL_CERTIFICATE_DAYS)
    words = f"{len(found)} files; the first to expire in {days:.0f} days: {path}"
    return Finding("certificates", verdict, words)


def _expiries(settings: Settings, installation: Installation) -> Iterator[tuple[datetime, str]]:
    named = (settings.diameter_tls_certificate, settings.diameter_tls_ca, settings.es2_peer_certificate)
    folders = (installation.pki_dir, installation.tls_dir)
    files = [path for folder in folders if folder.is_dir() for path in sorted(folder.rglob("*"))]
    files += [Path(path) for path in named if path is not None]
    files += [path for path in (installation.lan_certificate,) if settings.lan_address is not None]
    for path in files[:_MOST_CERTIFICATE_FILES]:
        expires = expiry_of(path)
        if expires is not None:
            yield expires, str(path)


def expiry_of(path: Path) -> datetime | None:
    """Return when the first certificate of a chain in a file expires; None if the file holds no certificate."""
    if not path.is_file() or path.stat().st_size > _LARGEST_CERTIFICATE_OCTETS:
        return None
    octets = path.read_bytes()
    try:
        if b"-----BEGIN CERTIFICATE-----" in octets:
            return min(it.not_valid_after_utc for it in x509.load_pem_x509_certificates(octets))
        if path.suffix == ".der":
            return x509.load_der_x509_certificate(octets).not_valid_after_utc
    except ValueError:
        return None
    return None

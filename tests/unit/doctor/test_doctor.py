import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import insert
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.data_directory.backup import backup
from kswifi.data_directory.backup_record import BACKUP, BackupRecord, write_backup_record
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.doctor.data import check_backup, check_certificates, check_database, check_parts, judge_jobs
from kswifi.doctor.machine import check_disk, check_fsync
from kswifi.doctor.model import Finding, Verdict, exit_status
from kswifi.doctor.running import RunningServer, check_peers, check_providers, check_server, check_supply, sums
from kswifi.kernel.clock import SystemClock
from kswifi.outbox.sql import outbox_entry
from kswifi.settings import PREFIX, load_settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path / "var"))


@pytest.fixture
async def installation(tmp_path: Path) -> Installation:
    """A data directory as the first start leaves it."""
    found = Installation(tmp_path / "var").open()
    found.close()
    for part in found.parts_in_order:
        if part.suffix in (".pem", ".bin"):
            part.write_bytes(b"key")
    database = Database(sqlite_url(found.control_database), SystemClock())
    await migrate(database)
    await database.close()
    (found.pki_dir / "role").mkdir(parents=True)
    found.ledger_journal.write_bytes(b"journal")
    return found


def certificate(expires: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, expires - timedelta(days=90), expires)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("hours", "verdict"), [(1, Verdict.OK), (25, Verdict.OK), (27, Verdict.WARNING), (200, Verdict.FAILED)]
)
def test_an_old_backup_is_reported(tmp_path: Path, hours: int, verdict: Verdict) -> None:
    assert check_backup(tmp_path, NOW).verdict is Verdict.WARNING
    write_backup_record(tmp_path, BackupRecord(NOW - timedelta(hours=hours), "/mnt/it", 1))
    assert check_backup(tmp_path, NOW) == Finding("backup", verdict, f"{hours:.1f} hours old: /mnt/it")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"at": 1}', b"[]", b"null"])
def test_a_record_that_cannot_be_read_counts_as_no_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / BACKUP).write_bytes(content)
    assert "no backup" in check_backup(tmp_path, NOW).words


@pytest.mark.parametrize(("days", "verdict"), [(90, Verdict.OK), (20, Verdict.WARNING), (-1, Verdict.FAILED)])
async def test_the_certificate_that_expires_first_decides(
    installation: Installation, days: int, verdict: Verdict
) -> None:
    settings = load_settings()
    assert check_certificates(settings, installation, NOW).words == "none in use"
    (installation.pki_dir / "role" / "long.pem").write_bytes(certificate(NOW + timedelta(days=2000)))
    (installation.pki_dir / "role" / "key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----")
    (installation.pki_dir / "role" / "broken.der").write_bytes(b"no certificate")
    short = installation.pki_dir / "role" / "short.pem"
    short.write_bytes(certificate(NOW + timedelta(days=days)))
    found = check_certificates(settings, installation, NOW)
    assert found.verdict is verdict
    assert f"{days} days: {short}" in found.words


@pytest.mark.parametrize(
    ("stuck", "late_seconds", "verdict"),
    [(0, 0, Verdict.OK), (0, 301, Verdict.WARNING), (0, 4000, Verdict.FAILED), (1, 0, Verdict.WARNING)],
)
def test_stuck_and_late_jobs_are_reported(stuck: int, late_seconds: int, verdict: Verdict) -> None:
    assert judge_jobs(5, stuck, NOW - timedelta(seconds=late_seconds), NOW).verdict is verdict
    assert judge_jobs(0, 0, None, NOW).verdict is Verdict.OK
    assert judge_jobs(1, 0, NOW + timedelta(hours=5), NOW).verdict is Verdict.OK  # not due yet


async def test_jobs_and_budgets_are_read_from_the_database(installation: Installation) -> None:
    clock = SystemClock()
    database = Database(sqlite_url(installation.control_database), clock)

    def add(connection: object) -> None:
        for key, state in (("a", "stuck"), ("b", "waiting")):
            connection.execute(  # type: ignore[attr-defined]
                insert(outbox_entry).values(
                    kind="k",
                    key=key,
                    payload={},
                    created_at=clock.now(),
                    run_at=clock.now() - timedelta(hours=2),
                    attempts=0,
                    state=state,
                )
            )

    await database.write(add)
    await database.close()
    jobs, budgets = await check_database(load_settings(), installation, clock)
    assert jobs.verdict is Verdict.FAILED
    assert jobs.words.startswith("1 waiting, the oldest due for 7200 s; 1 stuck")
    assert budgets.verdict is Verdict.WARNING  # the built-in offers are free without any limit


async def test_a_lost_part_and_an_open_directory_fail(installation: Installation) -> None:
    assert check_parts(installation).verdict is Verdict.OK
    installation.data_dir.chmod(0o750)
    assert check_parts(installation).verdict is Verdict.FAILED
    installation.data_dir.chmod(0o700)
    installation.subscriber_key.unlink()
    assert "has lost subscriber-keys.bin" in check_parts(installation).words


def test_disk_and_fsync_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "free of" in check_disk(tmp_path).words
    assert "median" in check_fsync(tmp_path).words
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("kswifi.doctor.machine.file_system_of", lambda _folder: "tmpfs")
    assert check_fsync(tmp_path).verdict is Verdict.FAILED


def test_the_running_server_is_read_from_its_metrics() -> None:
    settings = load_settings()
    text = (
        "# TYPE kswifi_diameter_peers gauge\nkswifi_diameter_peers 2.0\n"
        "# TYPE kswifi_diameter_peers_refused counter\n"
        'kswifi_diameter_peers_refused_total{reason="a"} 1.0\nkswifi_diameter_peers_refused_total{reason="b"} 2.0\n'
    )
    server = RunningServer(True, "", sums(text))
    assert check_server(server, settings).verdict is Verdict.OK
    assert check_peers(server, settings) == Finding(
        "peers", Verdict.OK, "2 Diameter peers (embedded); 3 connections refused"
    )
    assert check_peers(RunningServer(True, "", {}), settings).verdict is Verdict.WARNING
    assert check_server(RunningServer(False, "not ready: ledger", {}), settings).words == "not ready: ledger"
    assert check_server(None, settings).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("unconfirmed_cut_off_seconds", 14_401, "not confirmed"),
        ("pending_purchase_seconds", 3_601, "open for over an hour"),
        ("need_a_person", 1, "need a person"),
        ("offers_sold_out", 2, "sold out"),
        ("purchases_left", 9, "balance"),
        ("purchases_left", 10, None),
        ("pending_purchase_seconds", 3_600, None),
    ],
)
def test_what_data_providers_deliver_is_judged(metric: str, value: float, words: str | None) -> None:
    settings = load_settings(mode="resold")
    found = check_supply(RunningServer(True, "", {f"kswifi_supply_{metric}": value}), settings)
    assert found.verdict is (Verdict.OK if words is None else Verdict.WARNING)
    assert words is None or words in found.words
    assert check_supply(None, settings).verdict is Verdict.WARNING
    assert check_supply(None, load_settings()).verdict is Verdict.OK
    assert check_peers(None, settings).verdict is Verdict.OK


def test_a_rehearsal_gateway_in_production_is_reported() -> None:
    given = {"paystack_secret_key": "sk_test_0123456789", "payments_email": "a@example.ng"}
    rehearsal = load_settings(mode="own-core", payments_rehearsal=True, **given)
    assert "no money moves" in check_providers(rehearsal, NOW).words
    assert check_providers(rehearsal, NOW).verdict is Verdict.WARNING
    live = load_settings(mode="own-core", **{**given, "paystack_secret_key": "sk_live_0123456789"})
    assert check_providers(live, NOW).verdict is Verdict.OK


def test_data_providers_are_named_and_old_exchange_rates_are_a_warning() -> None:
    given = {"fx_rates": "USD=1650.50", "fx_rates_on": "2026-03-01", "data_providers": "esim_go"}
    settings = load_settings(**given, esim_go_api_key="a-key")
    fresh = check_providers(settings, NOW + timedelta(days=1))
    assert (fresh.verdict, "data: esim_go" in fresh.words) == (Verdict.OK, True)
    old = check_providers(settings, NOW + timedelta(days=2))
    assert (old.verdict, "2026-03-01" in old.words) == (Verdict.WARNING, True)


def test_the_exit_status_is_that_of_the_worst_finding() -> None:
    assert exit_status([]) == 0
    assert exit_status([Finding("a", Verdict.OK, ""), Finding("b", Verdict.WARNING, "")]) == 1
    assert exit_status([Finding("a", Verdict.FAILED, ""), Finding("b", Verdict.WARNING, "")]) == 2


def test_the_command_prints_a_screen_or_json_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSWIFI_METRICS_PORT", "9")  # the discard port: nothing listens there
    screen = CliRunner().invoke(app, ["doctor"])
    assert screen.exit_code == 2
    assert "FAIL  server" in screen.output
    assert len(screen.output.splitlines()) < 24
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).output)
    assert found["status"] == 2
    assert {"subject": "data", "verdict": "warning"}.items() <= found["findings"][2].items()
    assert not (tmp_path / "var").exists()


async def test_a_backup_leaves_its_record_and_does_not_contain_it(
    installation: Installation, tmp_path: Path
) -> None:
    import tarfile

    from kswifi.ledger.storage.sqlite_journal import SqliteJournal

    installation.ledger_journal.unlink()
    journal = SqliteJournal(installation.ledger_dir)
    journal.open()
    journal.close()
    backup(installation.data_dir, tmp_path / "one.tar.gz")
    backup(installation.data_dir, tmp_path / "two.tar.gz")
    with tarfile.open(tmp_path / "two.tar.gz") as tar:
        assert BACKUP not in tar.getnames()
    found = check_backup(installation.data_dir, SystemClock().now())
    assert found == Finding("backup", Verdict.OK, f"0.0 hours old: {tmp_path / 'two.tar.gz'}")

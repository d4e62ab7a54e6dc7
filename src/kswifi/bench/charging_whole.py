"""The whole server of a network under Gy load: what `kswifi bench charging --whole` measures.

The server is `kswifi serve` in own-core mode, with its API, its projector and its records. Its subscribers have
InternetSessions in the control plane, so every report also changes a balance that a person can see. During the
load a client signs up again and again. After the load the bench waits until both readers of the journal have read
all of it; the CPU time of that backlog counts.
"""

import asyncio
import multiprocessing
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import httpx2
from sqlalchemy import Connection, insert

from kswifi.accounts.sql import user_account
from kswifi.bench.charging import OWN_CORE_SETTINGS, ChargingBench, gy_load, told
from kswifi.bench.cpu import tree_cpu_seconds
from kswifi.bench.disk import fsync_ms_p50, require_disk
from kswifi.bench.gy_load.generator import GeneratorFailedError, GyMeasured, generate
from kswifi.bench.gy_load.messages import imsi_of
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database
from kswifi.database.migrate import migrate
from kswifi.esim.lines.vault import SubscriberVault, new_subscriber_keys
from kswifi.esim.model import ProfileState
from kswifi.esim.sql import esim
from kswifi.free_data.sql import free_grant
from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.kernel.numbers import Imsi
from kswifi.lab.children import Child
from kswifi.lab.ports import free_ports
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Credit, OpenWallet, Outcome, OutcomeCode, ProveStorage
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournal, SqliteJournalReader
from kswifi.sessions.model import SessionState
from kswifi.sessions.projector import Projector
from kswifi.sessions.sql import internet_session

ALLOWANCE_OCTETS: Final = 10**12
_PORTS: Final = ("api", "diameter", "rsp", "metrics", "console")
USER_ID: Final = str(uuid.UUID(int=1))
"""The one user to whom all sessions belong."""
_NAMESPACE: Final = uuid.UUID(int=2)
_ROWS_AT_ONCE: Final = 500
_DRAIN_SECONDS: Final = 600.0
_SETTLE_SECONDS: Final = 4.0
_LOOK_SECONDS: Final = 0.1
_PROJECTOR: Final = b"sessions-projector"
_PASSWORD: Final = "correct horse battery staple 7"  # noqa: S105 - of accounts that exist for a minute


def run_whole_bench(bench: ChargingBench) -> dict[str, float | int | str]:
    """Give every subscriber an InternetSession, start the server, load it, and return the figures.

    Raises:
        NotOnDiskError: the folder lies in memory.
        ChildFailedError: the server did not start.
        GeneratorFailedError: the load could not be kept up, or a reader of the journal did not catch up.
    """
    kind = require_disk(bench.folder)
    with tempfile.TemporaryDirectory(dir=bench.folder.absolute(), prefix=".kswifi-bench-") as name:
        root = Path(name)
        fsync_ms = fsync_ms_p50(root)
        environment = {f"KSWIFI_{port.upper()}_PORT": str(number) for port, number in free_ports(_PORTS).items()}
        environment |= {
            **{key: value for key, value in OWN_CORE_SETTINGS.items() if key != "KSWIFI_DIAMETER_PORT"},
            "KSWIFI_REGISTRATIONS_PER_HOUR": "100000",
            "KSWIFI_IDENTIFIER_PROOF": "false",
            "KSWIFI_DATA_DIR": str(root / "data"),
        }
        Child.start("server", ["serve", "--as-child"], environment, root / "server.log").stop()  # makes its keys
        asyncio.run(seed(root / "data", bench.subscribers))
        server = Child.start("server", ["serve", "--as-child"], environment, root / "server.log")
        try:
            figures = _measure(bench, server, root / "data")
        finally:
            server.stop()
    return {
        **figures,
        "outstanding": bench.outstanding,
        "subscribers": bench.subscribers,
        "fsync_ms_p50": round(fsync_ms, 3),
        "file_system": kind,
    }


def _measure(bench: ChargingBench, server: Child, data: Path) -> dict[str, float | int | str]:
    port = int(str(server.ready["diameter"]).rpartition(":")[2])
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # The first messages open all sessions: they belong to the load, so nothing is left out as a warm-up.
    process = context.Process(target=generate, args=(gy_load(bench, port, 0.0), theirs), daemon=True)
    time.sleep(_SETTLE_SECONDS)  # its children still import what they need
    cpu, projector_cpu = tree_cpu_seconds(server.pid), _projector_cpu_seconds(server.pid)
    process.start()
    theirs.close()
    sign_ups = _SignUps(str(server.ready["origin"]))
    try:
        measured = _loaded(ours, sign_ups)
    finally:
        ours.close()
        process.join(10)
    lags = _drain(data)
    cpu = tree_cpu_seconds(server.pid) - cpu
    projector_cpu = _projector_cpu_seconds(server.pid) - projector_cpu
    return {
        "requests_per_s": round(measured.answers / measured.seconds),
        "p50_ms": round(measured.p50_ms, 2),
        "p99_ms": round(measured.p99_ms, 2),
        "errors": measured.errors,
        "cpu_us_per_request": round(cpu / measured.answers * 1e6, 1),
        "projector_cpu_us_per_request": round(projector_cpu / measured.answers * 1e6, 1),
        "projector_lag_seconds": round(lags["ledger_projection"], 1),
        "records_lag_seconds": round(lags["charging_projection"], 1),
        "signup_seconds": round(max(sign_ups.seconds, default=0.0), 2),
        "signups": len(sign_ups.seconds),
        "signups_refused": sign_ups.refused,
    }


def _loaded(ours: Pipe, sign_ups: "_SignUps") -> GyMeasured:
    """Return what the generator measured, while a client signs up."""
    told(ours)
    sign_ups.start()
    try:
        measured = told(ours)
    finally:
        sign_ups.stop()
    if measured is None or not measured.answers:
        raise GeneratorFailedError("no answer came")
    return measured


class _SignUps:
    """A client that signs up, once a second, and notes how long each answer took."""

    def __init__(self, origin: str) -> None:
        self.seconds: list[float] = []
        self.refused = 0
        self._origin = origin
        self._stopping = Event()
        self._thread = Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx2.Client(base_url=self._origin, timeout=60.0, trust_env=False) as client:
            while not self._stopping.wait(1.0):
                body = {"identifier": f"{uuid.uuid4().hex[:12]}@example.ng", "password": _PASSWORD}
                began = time.monotonic()
                answer = client.post("/api/v1/accounts", json=body)
                client.cookies.clear()
                if answer.is_success:
                    self.seconds.append(time.monotonic() - began)
                else:
                    self.refused += 1


def _drain(data: Path) -> dict[str, float]:
    """Wait until both readers of the journal have read what was durable; return how long each took."""
    reader = SqliteJournalReader(data / "ledger")
    try:
        durable = reader.open().sequence
    finally:
        reader.close()
    began, lags = time.monotonic(), dict[str, float]()
    while len(lags) < 2:
        if time.monotonic() - began > _DRAIN_SECONDS:
            raise GeneratorFailedError(f"after {_DRAIN_SECONDS:.0f} seconds a reader still has a backlog")
        with sqlite3.connect(f"{(data / 'control.db').absolute().as_uri()}?mode=ro", uri=True) as control:
            for table in ("ledger_projection", "charging_projection"):
                row = control.execute(f"SELECT min(sequence) FROM {table}").fetchone()  # noqa: S608 - our own names
                if table not in lags and row[0] is not None and row[0] >= durable:
                    lags[table] = time.monotonic() - began
        control.close()
        time.sleep(_LOOK_SECONDS)
    return lags


def _projector_cpu_seconds(pid: int) -> float:
    """Return the CPU time of the server's projector process; 0 where the server has none."""
    return sum(tree_cpu_seconds(child) for child in _children_of(pid) if _is_projector(child))


def _children_of(pid: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # the process ended after the listing
            continue
        if parent == pid:
            yield int(folder.name)


def _is_projector(pid: int) -> bool:
    try:
        return _PROJECTOR in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def seed(data: Path, subscribers: int) -> None:
    """Give each subscriber a stored InternetSession, in the data directory of a server that was stopped."""
    installation = Installation(data).open()
    vault = SubscriberVault(installation.subscriber_key.read_bytes())
    clock = SystemClock()
    database = Database(installation.database_url, clock)
    folder = installation.ledger_dir
    ledger = LedgerClient(SqliteJournal(folder), clock, snapshots=SnapshotStore(folder))
    try:
        await migrate(database)
        await ledger.start()
        now = clock.now()
        await database.write(lambda connection: _add_user(connection, now))
        for first in range(0, subscribers, _ROWS_AT_ONCE):
            numbers = range(first, min(first + _ROWS_AT_ONCE, subscribers))
            await database.write(partial(_add_sessions, vault=vault, numbers=numbers, now=now))
            for number in numbers:
                _credit(ledger, number, unix_seconds(now + timedelta(days=30)))
            await ledger.execute(OpenWallet(f"pause-{first}", f"pause-{first}", f"pause-{first}"))
        await Projector(database, ledger).catch_up()
    finally:
        await ledger.close()
        await database.close()
        installation.close()


def _add_user(connection: Connection, now: datetime) -> None:
    connection.execute(
        insert(user_account).values(
            user_id=USER_ID,
            email="bench@example.ng",
            password_hash="-",  # noqa: S106 - nobody signs in with it
            recovery_code_hash=bytes(32),
            created_at=now,
        )
    )


def _add_sessions(connection: Connection, vault: SubscriberVault, numbers: range, now: datetime) -> None:
    connection.execute(insert(esim), [_esim_row(vault, number, now) for number in numbers])
    connection.execute(insert(internet_session), [_session_row(number, now) for number in numbers])
    connection.execute(insert(free_grant), [_grant_row(number, now) for number in numbers])


def esim_id_of(number: int) -> str:
    """Return the eSIM of a subscriber, which is their wallet."""
    return str(uuid.uuid5(_NAMESPACE, f"esim {number}"))


def session_id_of(number: int) -> str:
    """Return the InternetSession of a subscriber, which is their account."""
    return str(uuid.uuid5(_NAMESPACE, f"session {number}"))


def _esim_row(vault: SubscriberVault, number: int, now: datetime) -> dict[str, Any]:
    return {
        "esim_id": esim_id_of(number),
        "user_id": USER_ID,
        "iccid": f"89{number:017d}0",
        "imsi": imsi_of(number).decode(),
        "matching_id": f"BENCH-{number}",
        "profile_state": ProfileState.INSTALLED,
        "wants_pause": False,
        "wish": 0,
        "sealed_keys": vault.seal(Imsi(imsi_of(number).decode()), new_subscriber_keys()),
        "seq": 0,
        "ind": 0,
        "created_at": now,
    }


def _session_row(number: int, now: datetime) -> dict[str, Any]:
    return {
        "session_id": session_id_of(number),
        "user_id": USER_ID,
        "esim_id": esim_id_of(number),
        "offer_id": "free-1gb",
        "free": True,
        "allowance_octets": ALLOWANCE_OCTETS,
        "state": SessionState.TRANSFERRING,
        "ordered_at": now,
        "valid_until": now + timedelta(days=30),
        "idempotency_key": f"bench-{number}",
    }


def _grant_row(number: int, now: datetime) -> dict[str, Any]:
    return {
        "session_id": session_id_of(number),
        "user_id": USER_ID,
        "octets": ALLOWANCE_OCTETS,
        "used_octets": 0,
        "released_octets": ALLOWANCE_OCTETS,
        "cost_kobo_per_gb": 10_000,
        "reserved_kobo": ALLOWANCE_OCTETS // 10**9 * 10_000,
        "spent_kobo": 0,
        "ordered_at": now,
        "ordered_on": now.astimezone(UTC).date().isoformat(),
    }


def _credit(ledger: LedgerClient, number: int, expires_at: int) -> None:
    wallet_id, account_id = esim_id_of(number), session_id_of(number)
    for command in (
        OpenWallet(f"open-{number}", wallet_id, imsi_of(number).decode()),
        Credit(f"credit-{number}", wallet_id, account_id, ALLOWANCE_OCTETS, expires_at),
        ProveStorage(f"prove-{number}", account_id, "install_result"),
    ):
        ledger.submit(command, _must_be_done)


def _must_be_done(outcome: Outcome) -> None:
    if outcome.code is not OutcomeCode.DONE:
        raise RuntimeError(f"the ledger answered {outcome.code}")

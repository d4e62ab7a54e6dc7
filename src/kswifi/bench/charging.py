"""`kswifi bench charging`: durable Gy requests per second, their latency, and the server's CPU time for one.

Server and load generator are separate processes, and the server's data is on a disk. CPU time is that of the
server's process and its children, read from outside, so that a slow generator or other load on the machine does not
change it.
"""

import multiprocessing
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from kswifi.bench.cpu import tree_cpu_seconds
from kswifi.bench.disk import fsync_ms_p50, require_disk
from kswifi.bench.gy_load.generator import GeneratorFailedError, GyLoad, GyMeasured, generate
from kswifi.bench.gy_load.messages import PEER, REALM, SERVER
from kswifi.lab.children import Child
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader

OPEN_SESSIONS: Final = 8_192
"""Sessions open at the same time, if there are at least twice as many subscribers."""
_CONNECTIONS: Final = 4
_START_SECONDS: Final = 600.0
"""A million subscribers are credited first."""
OWN_CORE_SETTINGS: Final = {
    "KSWIFI_MODE": "own-core",
    "KSWIFI_LOG_LEVEL": "warning",
    "KSWIFI_DIAMETER_PORT": "0",
    "KSWIFI_DIAMETER_IDENTITY": SERVER,
    "KSWIFI_DIAMETER_REALM": REALM,
    "KSWIFI_DIAMETER_PEERS": PEER,
}


@dataclass(frozen=True, slots=True)
class ChargingBench:
    """The load.

    Attributes:
        outstanding: requests without an answer at any time.
        seconds: how long to measure.
        subscribers: how many lines the requests are for.
        folder: where the server's data is; it must be on a disk.
        warm_up_seconds: load before the measurement.
    """

    outstanding: int
    seconds: float
    subscribers: int
    folder: Path
    warm_up_seconds: float = 3.0


def run_bench(bench: ChargingBench) -> dict[str, float | int | str]:
    """Start the server, load it, and return the figures. The data is removed from the folder afterwards.

    Raises:
        NotOnDiskError: the folder is on a memory file system.
        ChildFailedError: the server did not start.
        GeneratorFailedError: the generator failed.
    """
    kind = require_disk(bench.folder)
    with tempfile.TemporaryDirectory(dir=bench.folder.absolute(), prefix=".kswifi-bench-") as name:
        root = Path(name)
        fsync_ms = fsync_ms_p50(root)
        arguments = ["bench", "charging-server", "--subscribers", str(bench.subscribers)]
        environment = {**OWN_CORE_SETTINGS, "KSWIFI_DATA_DIR": str(root / "data")}
        server = Child.start("charging", arguments, environment, root / "server.log", _START_SECONDS)
        try:
            measured, cpu_seconds, records = _measure(bench, server, root / "data" / "ledger")
        finally:
            server.stop()
    return {
        "requests_per_s": round(measured.answers / measured.seconds),
        "p50_ms": round(measured.p50_ms, 2),
        "p99_ms": round(measured.p99_ms, 2),
        "cpu_us_per_request": round(cpu_seconds / measured.answers * 1e6, 1),
        "mean_batch": round(measured.answers / max(records, 1), 1),
        "journal": "sqlite",
        "outstanding": bench.outstanding,
        "subscribers": bench.subscribers,
        "errors": measured.errors,
        "fsync_ms_p50": round(fsync_ms, 3),
        "file_system": kind,
        "generator_cpu_us_per_request": round(measured.cpu_seconds / measured.answers * 1e6, 1),
    }


def _measure(bench: ChargingBench, server: Child, journal: Path) -> tuple[GyMeasured, float, int]:
    """Return what the generator measured, the server's CPU meanwhile, and the journal records made."""
    load = gy_load(bench, int(server.ready["diameter"]), bench.warm_up_seconds)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=generate, args=(load, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        told(ours)
        before, cpu = _durable(journal), tree_cpu_seconds(server.pid)
        measured = told(ours)
        after, cpu = _durable(journal), tree_cpu_seconds(server.pid) - cpu
    finally:
        ours.close()
        process.join(10)
    if measured is None or not measured.answers:
        raise GeneratorFailedError("no answer came")
    return measured, cpu, after - before


def gy_load(bench: ChargingBench, port: int, warm_up_seconds: float) -> GyLoad:
    """Return what the generator does in a bench."""
    return GyLoad(
        port=port,
        outstanding=bench.outstanding,
        connections=min(_CONNECTIONS, bench.outstanding),
        seconds=bench.seconds,
        warm_up_seconds=warm_up_seconds,
        subscribers=bench.subscribers,
        open_sessions=max(bench.outstanding, min(OPEN_SESSIONS, bench.subscribers // 2)),
    )


def told(generator: Connection) -> GyMeasured | None:
    """Return the generator's next message: None when it is warm, then what it measured.

    Raises:
        GeneratorFailedError: it ended, or could not keep the load up.
    """
    try:
        message: GyMeasured | str | None = generator.recv()
    except EOFError:
        raise GeneratorFailedError("the load generator ended by itself") from None
    if isinstance(message, str):
        raise GeneratorFailedError(message)
    return message


def _durable(journal: Path) -> int:
    reader = SqliteJournalReader(journal)
    try:
        return reader.open().sequence
    finally:
        reader.close()

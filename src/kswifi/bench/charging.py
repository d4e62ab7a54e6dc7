"""`kswifi bench charging`: durable Gy requests per second, their latency, and the server's CPU time for one.

Server and load generator are separate processes, and the server's data is on a disk. CPU time is that of the
server's process and its children, read from outside, so that a slow generator or other load on the machine does not
change it.
"""

import multiprocessing
import os
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from kswifi.bench.gy_load.generator import GeneratorFailedError, GyLoad, GyMeasured, generate
from kswifi.bench.gy_load.messages import PEER, REALM, SERVER
from kswifi.bootstrap.disk import fsync_ms_p50, require_disk
from kswifi.lab.children import Child
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader

OPEN_SESSIONS: Final = 8_192
"""Sessions open at the same time, if there are at least twice as many subscribers."""
_CONNECTIONS: Final = 4
_START_SECONDS: Final = 600.0
"""Long enough to credit a million subscribers before the server is ready."""
_SETTINGS: Final = {
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
    with tempfile.TemporaryDirectory(dir=bench.folder, prefix=".kswifi-bench-") as name:
        root = Path(name)
        fsync_ms = fsync_ms_p50(root)
        arguments = ["bench", "charging-server", "--subscribers", str(bench.subscribers)]
        environment = {**_SETTINGS, "KSWIFI_DATA_DIR": str(root / "data")}
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
    """Return the generator's measurement, and the server's CPU seconds and journal records during it."""
    load = GyLoad(
        port=int(server.ready["diameter"]),
        outstanding=bench.outstanding,
        connections=min(_CONNECTIONS, bench.outstanding),
        seconds=bench.seconds,
        warm_up_seconds=bench.warm_up_seconds,
        subscribers=bench.subscribers,
        open_sessions=max(bench.outstanding, min(OPEN_SESSIONS, bench.subscribers // 2)),
    )
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=generate, args=(load, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        _report_of(ours)  # warmed up
        before, cpu = _durable(journal), tree_cpu_seconds(server.pid)
        measured = _report_of(ours)
        after, cpu = _durable(journal), tree_cpu_seconds(server.pid) - cpu
    finally:
        ours.close()
        process.join(10)
    if measured is None or not measured.answers:
        raise GeneratorFailedError("no answer came")
    return measured, cpu, after - before


def _report_of(generator: Connection) -> GyMeasured | None:
    """Wait for the generator's next report: None when it has warmed up, then its measurement."""
    try:
        report: GyMeasured | str | None = generator.recv()
    except EOFError:
        raise GeneratorFailedError("the load generator ended by itself") from None
    if isinstance(report, str):
        raise GeneratorFailedError(report)
    return report


def _durable(journal: Path) -> int:
    reader = SqliteJournalReader(journal)
    try:
        return reader.open().sequence
    finally:
        reader.close()


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds, user and system, of a process and its running descendants (proc(5): stat)."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # the process ended after the listing
            continue
        parents[int(folder.name)] = int(fields[1])
        ticks[int(folder.name)] = int(fields[11]) + int(fields[12])
    mine = {pid}
    while more := {it for it, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return sum(ticks.get(it, 0) for it in mine) / os.sysconf("SC_CLK_TCK")

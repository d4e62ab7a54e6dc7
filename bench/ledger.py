"""The ledger alone: durable commands a second, time and memory to recover. ``python bench/ledger.py --help``.

It needs a real disk: give it a directory that is not on a memory file system.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.ledger.client import LedgerClient, open_ledger
from kswifi.ledger.commands import Ask, Command, Commit, Credit, OpenWallet, Outcome, ProveStorage, Reserve
from kswifi.ledger.errors import LedgerBusyError

MEGABYTE = 1_000_000
UPDATES = 8


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


async def submit_all(client: LedgerClient, commands: list[Command], outstanding: int) -> list[float]:
    """Keep so many commands outstanding until all are answered; return each one's seconds to its answer."""
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    latencies: list[float] = []
    source = iter(commands)

    def send() -> None:
        command = next(source, None)
        if command is None:
            return
        began = time.perf_counter()

        def done(outcome: Outcome) -> None:
            assert outcome.code == "done", (command, outcome)
            latencies.append(time.perf_counter() - began)
            if len(latencies) == len(commands):
                finished.set_result(None)
            else:
                send()

        try:
            client.submit(command, done)
        except LedgerBusyError as error:
            finished.set_exception(error)

    for _ in range(outstanding):
        send()
    await finished
    return latencies


def round_of(accounts: int, first: int, expires_at: int) -> list[Command]:
    """Return an INITIAL, updates and a TERMINATION for each account, interleaved as of many subscribers."""
    ask = Ask(10 * MEGABYTE, 10 * MEGABYTE, expires_at)
    names = [f"gw.example.org;{expires_at};{first + i}" for i in range(accounts)]
    commands: list[Command] = [
        Reserve(f"{it}#0", it, f"00000000-0000-7000-8000-{first + i:012d}", ask) for i, it in enumerate(names)
    ]
    for update in range(1, UPDATES + 1):
        commands += [Commit(f"{it}#{update}", it, 9 * MEGABYTE, ask) for it in names]
    commands += [Commit(f"{it}#{UPDATES + 1}", it, 4 * MEGABYTE, None, close=True) for it in names]
    return commands


async def run(directory: Path, accounts: int, outstanding: int, spenders: int) -> dict[str, object]:
    clock = SystemClock()
    expires_at = unix_seconds(clock.now()) + 30 * 86_400
    client = open_ledger(directory, clock)
    gc.collect()
    before = resident_megabytes()
    await client.start()
    setup: list[Command] = []
    for i in range(accounts):
        wallet, account = f"00000000-0000-7000-8000-{i:012d}", f"00000000-0000-7000-9000-{i:012d}"
        setup.append(OpenWallet(f"open:{i}", wallet, f"62199{i:010d}"))
        setup.append(Credit(f"credit:{i}", wallet, account, 10**9, expires_at))
        setup.append(ProveStorage(f"prove:{i}", account, "por"))
    # In order within a wallet: three passes.
    began = time.perf_counter()
    for part in range(3):
        await submit_all(client, setup[part::3], outstanding)
    setup_seconds = time.perf_counter() - began
    del setup
    commands = round_of(min(accounts, spenders), 0, expires_at)
    fsync_ms = fsync_p50(directory)
    began, cpu = time.perf_counter(), time.process_time()
    latencies = sorted(await submit_all(client, commands, outstanding))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    count, records = len(commands), client.durable_sequence
    del commands
    closing = time.perf_counter()
    await client.close()
    closing = time.perf_counter() - closing
    size = size_of(directory)
    del client
    gc.collect()
    recovered = {"snapshot": await recover(directory)}
    drop_snapshots(directory)
    recovered["journal"] = await recover(directory)
    return {
        "accounts": accounts,
        "outstanding": outstanding,
        "setup_commands_per_s": round(3 * accounts / setup_seconds),
        "commands": count,
        "commands_per_s": round(count / seconds),
        "cpu_us_per_command": round(cpu / count * 1e6, 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 2),
        "records": records,
        "fsync_ms_p50": round(fsync_ms, 2),
        "close_with_snapshot_s": round(closing, 2),
        "directory_mb": round(size),
        "resident_before_mb": round(before),
        "recovered_from": recovered,
    }


def size_of(directory: Path) -> float:
    return sum(it.stat().st_size for it in directory.iterdir()) / MEGABYTE


def drop_snapshots(directory: Path) -> None:
    for snapshot in directory.glob("ledger.snapshot.*"):
        snapshot.unlink()


async def recover(directory: Path) -> dict[str, object]:
    """Start the ledger in a process of its own, and return its figures."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--recover", str(directory)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return dict(json.loads(out.splitlines()[-1]))


async def measure_recovery(directory: Path) -> dict[str, object]:
    before = resident_megabytes()
    client = open_ledger(directory, SystemClock())
    report = await client.start()
    grown = resident_megabytes() - before
    seconds, effects = report.seconds, report.effects
    return {"seconds": round(seconds, 2), "effects": effects, "memory_mb": round(grown)}


def fsync_p50(directory: Path) -> float:
    times = []
    with (directory / "fsync.probe").open("wb") as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    (directory / "fsync.probe").unlink()
    return sorted(times)[25] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--spenders", type=int, default=20_000)
    parser.add_argument("--outstanding", type=int, default=128)
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--recover", type=Path)
    options = parser.parse_args()
    if options.recover:
        print(json.dumps(asyncio.run(measure_recovery(options.recover))))
        return
    directory = Path(tempfile.mkdtemp(dir=options.directory, prefix="ledger-bench-"))
    try:
        print(json.dumps(asyncio.run(run(directory, options.accounts, options.outstanding, options.spenders))))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()

"""Benchmark of the ledger: durable commands per second on a real disk, and the speed of recovery."""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Ask, Commit, Credit, OpenWallet, Outcome, OutcomeCode, ProveStorage, Reserve
from kswifi.ledger.storage.sqlite_journal import SqliteJournal

OUTSTANDING: Final = 256
WALLETS: Final = 1_000
SECONDS: Final = 5.0


def measure() -> dict[str, Any]:
    """Keep 256 commits with a new reservation outstanding for five seconds; then recover from the journal."""
    # In the working directory and not under /tmp, which may be a memory file system: a journal needs a disk.
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        return {"fsync_ms_p50": _fsync_ms(Path(folder)), **asyncio.run(_measure(Path(folder)))}


async def _measure(folder: Path) -> dict[str, Any]:
    clock = SystemClock()
    client = LedgerClient(SqliteJournal(folder), clock)
    await client.start()
    end = unix_seconds(clock.now()) + 86_400
    ask = Ask(amount_octets=1_000_000, whole_up_to_octets=10_000_000, expires_at=end)
    for number in range(WALLETS):
        for command in (
            OpenWallet(f"o{number}", f"w{number}", f"00101{number:010}"),
            Credit(f"c{number}", f"w{number}", f"a{number}", 10**12, end),
            ProveStorage(f"p{number}", f"a{number}", "install_result"),
            Reserve(f"r{number}", f"s{number}", f"w{number}", ask),
        ):
            client.submit(command, _must_be_done)
    await client.execute(OpenWallet("last", "last", "001019999999999"))
    began, cpu = time.monotonic(), time.process_time()
    answered = await _load(client, ask, began + SECONDS)
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    await client.close()
    again = LedgerClient(SqliteJournal(folder), clock)
    report = await again.start()
    await again.close()
    return {
        "commands_per_s": round(answered / seconds),
        "cpu_us_per_command": round(cpu_seconds / answered * 1e6, 1),
        "outstanding": OUTSTANDING,
        "recovered_effects_per_s": round(report.effects / report.seconds),
    }


async def _load(client: LedgerClient, ask: Ask, until: float) -> int:
    """Send the next command of a reservation after each outcome; return the number of outcomes."""
    finished = asyncio.Event()
    answered = outstanding = 0

    def send(number: int, place: int) -> None:
        nonlocal outstanding
        outstanding += 1

        def done(outcome: Outcome) -> None:
            nonlocal answered, outstanding
            _must_be_done(outcome)
            answered += 1
            outstanding -= 1
            if time.monotonic() < until:
                send(number, place + 1)
            elif not outstanding:
                finished.set()

        client.submit(Commit(f"s{number}#{place}", f"s{number}", 1_000, ask), done)

    for number in range(OUTSTANDING):
        send(number, 1)
    await finished.wait()
    return answered


def _must_be_done(outcome: Outcome) -> None:
    if outcome.code is not OutcomeCode.DONE:
        raise RuntimeError(f"the ledger answered {outcome.code}")


def _fsync_ms(folder: Path) -> float:
    """Return the median time, in milliseconds, to write 4 KB durably in this folder."""
    times = []
    with (folder / "probe").open("wb") as file:
        for _ in range(101):
            file.write(bytes(4096))
            began = time.monotonic()
            file.flush()
            os.fsync(file.fileno())
            times.append(time.monotonic() - began)
    return round(sorted(times)[50] * 1000, 3)

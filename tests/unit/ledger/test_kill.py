"""A process that writes is killed: each answered command is there, and nothing is there twice."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.ledger import commands as do
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.inspect import verify
from tests.support.ledgers import open_ledger

USED = 3

WRITER = """
import asyncio, sys
from pathlib import Path
from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.ledger.batch import Limits
from kswifi.ledger.commands import Ask, Commit, Reserve
from tests.support.ledgers import open_ledger

async def main(directory, turn):
    clock = SystemClock()
    # A snapshot every moment, so that processes are killed while one is written, too.
    client = open_ledger(directory, clock, limits=Limits(snapshot_effects=3000))
    await client.start()
    ask = Ask(10, 10, unix_seconds(clock.now()) + 600)

    async def session(name):
        await client.execute(Reserve(f"{name}#start", name, f"w{turn}", ask))
        number = 0
        while True:
            # One command, three times at once: the ledger counts it once.
            command = Commit(f"{name}#{number}", name, 3, ask)
            outcomes = await asyncio.gather(*(client.execute(command) for _ in range(3)))
            assert outcomes[0].code == "done" and len(set(map(str, outcomes))) == 1, outcomes
            print("told", name, number, flush=True)
            number += 1

    await asyncio.gather(*(session(f"s{turn}.{it}") for it in range(8)))

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


Told = set[tuple[str, int]]
"""(reservation, number) of each command whose answer came back."""


def prepare(directory: Path, turns: int) -> None:
    async def story() -> None:
        clock = SystemClock()
        client = open_ledger(directory, clock)
        await client.start()
        expires_at = unix_seconds(clock.now()) + 10**6
        for turn in range(turns):
            await client.execute(do.OpenWallet(f"open{turn}", f"w{turn}", f"62199{turn}"))
            await client.execute(do.Credit(f"credit{turn}", f"w{turn}", f"a{turn}", 10**12, expires_at))
            await client.execute(do.ProveStorage(f"prove{turn}", f"a{turn}", "por"))
        await client.close()

    asyncio.run(story())


def kill_once(directory: Path, turn: int, seconds: float) -> Told:
    """Start a writer, kill it so many seconds after its first answer; return the commands that were answered."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(turn)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer, writer.stdout as out:
        lines = [out.readline()]
        while lines[-1] and not lines[-1].startswith("told"):
            lines.append(out.readline())
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        lines += out.readlines()
    whole = [it.split() for it in lines if it.startswith("told") and it.endswith("\n")]
    assert whole, f"the writer ended with {writer.returncode}: {lines}"
    return {(name, int(number)) for _, name, number in whole}


def check(directory: Path, told: Told) -> None:
    """Check that each answered command is there once; a command without an answer may be there, at most once."""
    assert verify(directory).damage == ()

    async def story() -> None:
        client = open_ledger(directory, SystemClock())
        await client.start()
        known = {
            (name, int(key[2:]))
            for name, it in client.state.reservations.items()
            for key in it.answers
            if key[2:].isdigit()
        }
        assert told <= known
        assert used(client) == USED * len(known)
        for name, number in sorted(told)[-50:]:
            ask = do.Ask(10, 10, unix_seconds(SystemClock().now()) + 600)
            outcome = await client.execute(do.Commit(f"{name}#{number}", name, USED, ask))
            assert (outcome.code, outcome.committed_octets) == ("done", USED)
        assert used(client) == USED * len(known)
        await client.close()

    asyncio.run(story())


def used(client: LedgerClient) -> int:
    return sum(it.used for it in client.state.accounts.values())


# Each run has a journal of its own, and reads all of it after every kill: so a run stays short on a busy machine.
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 41))])
def test_what_was_acknowledged_outlives_sigkill(tmp_path: Path, seed: int) -> None:
    turns = 5
    prepare(tmp_path, turns)
    chance, told = Random(seed), Told()
    for turn in range(turns):
        told |= kill_once(tmp_path, turn, chance.uniform(0, 0.3))
        check(tmp_path, told)
    assert len(told) > turns

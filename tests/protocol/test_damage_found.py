"""A server on a damaged ledger says so: in its readiness, its metrics and its log; and goes on charging."""

import asyncio
import os
from pathlib import Path

import httpx2

from tests.support.own_core import OwnCoreServer, serving


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        octet = os.pread(file.fileno(), 1, place)[0]
        os.pwrite(file.fileno(), bytes([octet ^ 2]), place)


async def readiness(server: OwnCoreServer, *, ready: bool) -> str:
    async with httpx2.AsyncClient() as client, asyncio.timeout(30):
        while True:
            answer = await client.get(f"{server.monitoring}/readyz")
            if answer.is_success == ready:
                break
            await asyncio.sleep(0.1)
        return answer.text + (await client.get(f"{server.monitoring}/metrics")).text


def test_a_damaged_record_before_the_snapshot_is_found_after_the_start(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        journal = server.ledger_dir / "ledger.db"
        flip(journal, journal.read_bytes().index(b"a17"))  # a start from the snapshot does not read it
        process = server.start()
        found = asyncio.run(readiness(server, ready=False))
        assert "ledger_integrity" in found
        assert "kswifi_ledger_damaged 1.0" in found
        assert process.ended() is None
        assert "ledger_damaged" in server.log
        server.stop()


def test_a_sound_ledger_is_checked_and_ready(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.start()

        async def checked() -> str:
            async with asyncio.timeout(30):
                while "ledger_checked" not in server.log:  # noqa: ASYNC110 - the log has nobody to tell
                    await asyncio.sleep(0.1)
            return await readiness(server, ready=True)

        assert "kswifi_ledger_damaged 0.0" in asyncio.run(checked())
        server.stop()

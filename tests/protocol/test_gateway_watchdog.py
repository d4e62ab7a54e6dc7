"""The gateway's Diameter watchdog: an idle server that answers is kept, one that is silent is given up."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from kswifi.diameter.constants import Command
from kswifi.diameter.header import decode_header
from kswifi.lab.gateway.diameter_client import DiameterClient
from tests.support.small_ocs import SmallOcs

WATCHDOG_SECONDS = 0.1
PATIENCE_SECONDS = 10.0


@dataclass
class IdleOcs(SmallOcs):
    """Answers a watchdog at once, or (``silent_after``) only so many times."""

    silent_after: int | None = None

    async def _answer(self, message: bytes) -> bytes | None:
        answer = await super()._answer(message)
        if decode_header(message).command_code != Command.DEVICE_WATCHDOG:
            return answer
        if self.silent_after is not None and self.watchdogs > self.silent_after:
            return None
        # Hold the loop over the end of the client's wait, so that it ends later than the answer took to come.
        asyncio.get_running_loop().call_later(WATCHDOG_SECONDS * 0.8, time.sleep, WATCHDOG_SECONDS * 0.6)
        return answer


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what is watched are plain counts
            await asyncio.sleep(0.005)


async def _watched(ocs: IdleOcs, is_so: Callable[[], bool]) -> None:
    host, port = await ocs.start()
    client = DiameterClient(
        host, port, origin_host="gateway.kswifi", realm="kswifi", watchdog_seconds=WATCHDOG_SECONDS
    )
    client.start()
    try:
        await _until(is_so)
    finally:
        await client.close()
        await ocs.stop()


async def test_an_idle_server_that_answers_its_watchdogs_keeps_its_connection() -> None:
    ocs = IdleOcs()
    await _watched(ocs, lambda: ocs.watchdogs >= 5 or ocs.connections > 1)
    assert ocs.watchdogs >= 5
    assert ocs.connections == 1


async def test_a_server_that_leaves_a_watchdog_unanswered_is_dropped() -> None:
    ocs = IdleOcs(silent_after=0)
    await _watched(ocs, lambda: ocs.connections > 1)
    assert ocs.watchdogs == 1


async def test_a_server_that_falls_silent_after_answers_is_dropped() -> None:
    ocs = IdleOcs(silent_after=2)
    await _watched(ocs, lambda: ocs.connections > 1)
    assert ocs.watchdogs == 3

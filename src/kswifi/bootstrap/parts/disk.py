"""The disk: what happens when it is full, and how the server recovers from that."""

import asyncio
from typing import Final

import structlog

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.disk import DiskMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.charging.service import ChargingService
from kswifi.data_directory.ballast import Ballast
from kswifi.ledger.client import LedgerClient

_LOOK_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class DiskWatch:
    """Reports a shortage of space and makes the ballast again once there is room."""

    def __init__(self, ballast: Ballast, look_seconds: float = _LOOK_SECONDS) -> None:
        self._ballast = ballast
        self._look_seconds = look_seconds
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Look at intervals until ``stop``."""
        was_short = False
        while not self._stopping.is_set():
            is_short = self._ballast.is_short
            if is_short and not was_short:
                _log.critical(
                    "disk_full", free_octets=self._ballast.free_octets, waits="new sessions, changes by API"
                )
            if is_short and await asyncio.to_thread(self._ballast.recover):
                is_short = False
                _log.warning("disk_has_room_again", free_octets=self._ballast.free_octets)
            was_short = is_short
            try:
                async with asyncio.timeout(self._look_seconds):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Let ``run`` return."""
        self._stopping.set()


async def open_disk(context: Context) -> Part:
    """Connect the ballast with everything that writes, and watch it."""
    ballast, ledger, database = context.ballast, context.need(LedgerClient), context.database
    ledger.out_of_space = ballast.release
    database.out_of_space = ballast.release
    database.is_short = lambda: ballast.is_short
    database.fatal = context.supervisor.fail
    context.need(ChargingService).is_short_of_space = lambda: ballast.is_short
    watch = DiskWatch(ballast)
    metrics = DiskMetrics(ballast)

    async def has_room() -> bool:
        return not (ballast.is_short or ledger.is_stalled)

    async def text() -> bytes:
        return await asyncio.to_thread(metrics.text)

    return Part(
        loops=(Loop("disk-watch", watch.run, watch.stop),),
        metrics=(text,),
        checks={"disk_space": has_room},
    )

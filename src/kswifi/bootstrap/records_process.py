"""Charging data records made in a process of their own, so that no request waits for them.

One process is one interpreter lock: making records beside the charging took a quarter of every request. A network's
server therefore leaves it to a child, which follows the journal by itself. It owns nothing: how far it has read is
in the control database, so it may die and be started again at any moment.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import structlog

from kswifi.bootstrap.process import configure_logging, stop_event
from kswifi.charging_records.projector import ChargingRecords
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.kernel.clock import SystemClock
from kswifi.ledger.effects import Effect
from kswifi.ledger.storage.journal import effects_after
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader
from kswifi.settings import Settings

COMMAND: Final = "charging-records"
LOOK_SECONDS: Final = 5.0
"""How often the child looks for more; what a session reported meanwhile is written in one."""
RECORDS_AT_ONCE: Final = 1_000
"""In one transaction: some 100,000 requests of a busy network, and less than a second of the control database."""
_NICENESS: Final = 10
"""Records can wait a moment, answers cannot: on a machine that is full the child steps back."""
_STOP_SECONDS: Final = 20.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class _ReadOnlyLedger:
    """The journal's effects, read beside its owner."""

    def __init__(self, journal: SqliteJournalReader) -> None:
        self._journal = journal

    def read_effects(self, after_sequence: int, limit: int) -> Sequence[tuple[int, tuple[Effect, ...]]]:
        """Return up to ``limit`` records after a sequence, oldest first."""
        return effects_after(self._journal, after_sequence, limit)


async def make_records(settings: Settings, end_of_input: int | None) -> None:
    """Make records until told to stop: the child."""
    configure_logging(settings)
    os.nice(_NICENESS)
    stop = stop_event(end_of_input)
    installation = Installation(settings.data_dir)
    database = Database(sqlite_url(installation.control_database), SystemClock())
    journal = SqliteJournalReader(installation.ledger_dir)
    records = ChargingRecords(database, _ReadOnlyLedger(journal), LOOK_SECONDS, RECORDS_AT_ONCE)
    making = asyncio.create_task(records.run(), name=COMMAND)
    try:
        while not (stop.is_set() or making.done()):
            records.wake()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
        records.stop()
        await making
    finally:
        journal.close()
        await database.close()


class RecordsProcess:
    """The child as its parent sees it: started again when it dies, stopped with the parent."""

    def __init__(self, settings: Settings) -> None:
        self._environment = {**os.environ, "KSWIFI_DATA_DIR": str(settings.data_dir.absolute())}
        self._stopping = asyncio.Event()
        self.pid: int | None = None
        """Of the child that runs now."""

    def stop(self) -> None:
        """Let ``run`` return once the child has made its last records."""
        self._stopping.set()

    async def run(self) -> None:
        """Keep a child running until ``stop``."""
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            status = await self._run_one()
            if self._stopping.is_set():
                return
            lived = asyncio.get_running_loop().time() - began
            grown = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            pause = _FIRST_PAUSE_SECONDS if lived > _LONGEST_PAUSE_SECONDS else grown
            _log.warning("charging_records_process_ended", status=status, again_in_seconds=pause)
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _run_one(self) -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kswifi",
            COMMAND,
            stdin=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is the parent's: it tells the child by closing its input
        )
        self.pid = child.pid
        ended, stopped = asyncio.ensure_future(child.wait()), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
            if child.stdin is not None:
                child.stdin.close()
            async with asyncio.timeout(_STOP_SECONDS):
                return await ended
        except TimeoutError:
            child.kill()
            return await child.wait()
        finally:
            stopped.cancel()
            self.pid = None

"""A child of the server process that follows the journal: started again when it dies, stopped with its parent."""

import asyncio
import os
import subprocess
import sys
from typing import Final

import structlog

from kswifi.ledger.effects import Effect
from kswifi.ledger.storage.journal import effects_after
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader
from kswifi.settings import Settings

_STOP_SECONDS: Final = 20.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class ReadOnlyLedger:
    """The journal's effects, read while another process owns the ledger."""

    def __init__(self, journal: SqliteJournalReader) -> None:
        self._journal = journal

    def read_effects(self, after_sequence: int, limit: int) -> list[tuple[int, tuple[Effect, ...]]]:
        """Return up to ``limit`` records after a sequence, oldest first."""
        return effects_after(self._journal, after_sequence, limit)


class ChildProcess:
    """One command of `kswifi` as a child: the parent's side. It owns nothing, so it may die at any moment."""

    def __init__(self, settings: Settings, command: str) -> None:
        self._environment = {**os.environ, "KSWIFI_DATA_DIR": str(settings.data_dir.absolute())}
        self._command = command
        self._stopping = asyncio.Event()
        self.pid: int | None = None
        """Of the child that runs now."""

    def stop(self) -> None:
        """Let ``run`` return once the child has done what is left to do."""
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
            _log.warning("child_process_ended", command=self._command, status=status, again_in_seconds=pause)
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def talk(self, child: asyncio.subprocess.Process) -> None:
        """Exchange words with a child that was started, until it ends; here, read what it says and drop it."""
        while child.stdout is not None and await child.stdout.read(4096):
            continue

    async def _run_one(self) -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kswifi",
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is the parent's: it stops the child by closing its input
        )
        self.pid = child.pid
        talking = asyncio.ensure_future(self.talk(child))
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
            talking.cancel()
            await asyncio.wait((talking,))
            self.pid = None

"""The integrity of stored data: the ledger's files and the last backup are checked in the background."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.integrity import IntegrityMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.data_directory.backup_reader import check_backup
from kswifi.data_directory.backup_record import read_backup_record
from kswifi.data_directory.layout import Installation
from kswifi.kernel.errors import KswifiError
from kswifi.ledger.errors import LedgerError
from kswifi.ledger.storage.integrity import LedgerCheck, check_in_child

FIRST_AFTER_SECONDS: Final = 5.0
"""The first check waits so long after the start, which has work of its own."""

_log = structlog.get_logger(__name__)

CheckLedger = Callable[[], Awaitable[LedgerCheck]]


class IntegrityWatch:
    """Checks the ledger's files and the last backup at intervals; what it found last is kept for monitoring.

    Attributes:
        ledger: the last result; None before the first check.
        backup_damage: why the last backup is no use; None if it is sound, unknown, or not on this machine any more.
        checked_at: when the last check ended, in Unix seconds; 0 before.
    """

    def __init__(
        self,
        check_ledger: CheckLedger,
        installation: Installation,
        every_seconds: float,
        first_after_seconds: float = FIRST_AFTER_SECONDS,
    ) -> None:
        self.ledger: LedgerCheck | None = None
        self.backup_damage: str | None = None
        self.checked_at = 0.0
        self._check_ledger = check_ledger
        self._installation = installation
        self._every_seconds = every_seconds
        self._first_after_seconds = first_after_seconds
        self._stopping = asyncio.Event()

    @property
    def is_sound(self) -> bool:
        """Whether the last check found no damage of the ledger that its files cannot repair."""
        return self.ledger is None or not self.ledger.damage

    async def run(self) -> None:
        """Check soon, and then at intervals until ``stop``."""
        pause = self._first_after_seconds
        while not await self._stopped_within(pause):
            checking = asyncio.ensure_future(self.check())
            stopping = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait((checking, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if self._stopping.is_set():
                checking.cancel()
                await asyncio.gather(checking, return_exceptions=True)
                return
            checking.result()
            pause = self._every_seconds

    def stop(self) -> None:
        """Let ``run`` return; a check that runs is broken off."""
        self._stopping.set()

    async def check(self) -> None:
        """Check everything once, and log damage."""
        try:
            found = await self._check_ledger()
        except (LedgerError, OSError) as error:
            _log.warning("ledger_not_checked", why=str(error))
        else:
            self.ledger = found
            for words in found.damage:
                _log.critical("ledger_damaged", damage=words, next="keep the older backups; `kswifi ledger verify`")
            for name in found.damaged_snapshots:
                _log.error("ledger_snapshot_damaged", snapshot=name)
            _log.info("ledger_checked", records=found.records, sequence=found.sequence, damage=len(found.damage))
        record = read_backup_record(self._installation.data_dir)
        self.backup_damage = None
        if record is not None:
            try:
                await asyncio.to_thread(check_backup_file, Path(record.path))
            except KswifiError as error:
                self.backup_damage = error.message
                _log.critical("backup_damaged", damage=error.message, next="make another one: `kswifi backup FILE`")
        self.checked_at = time.time()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True


def check_backup_file(archive: Path) -> None:
    """Check a backup, unless it was moved to another machine, as it should be.

    Raises:
        BACKUP_REFUSED: it is damaged.
    """
    if archive.exists():
        check_backup(archive)


async def open_integrity(context: Context) -> Part:
    """Check in the background, unless the settings leave it out."""
    settings, installation = context.settings, context.installation
    if not settings.integrity_check_hours:
        return Part()

    async def check_ledger() -> LedgerCheck:
        return await check_in_child(installation.ledger_dir, settings.integrity_octets_per_second)

    watch = IntegrityWatch(check_ledger, installation, settings.integrity_check_hours * 3600.0)
    metrics = IntegrityMetrics(watch)

    async def is_sound() -> bool:
        return watch.is_sound

    async def text() -> bytes:
        return metrics.text()

    return Part(
        loops=(Loop("integrity", watch.run, watch.stop),), metrics=(text,), checks={"ledger_integrity": is_sound}
    )

"""Housekeeping: deletes expired rows in small batches, so that no table grows without limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from kswifi.database.engine import Database
from kswifi.kernel.errors import KswifiError
from kswifi.outbox.leases import prune_entries, prune_events

_log = structlog.get_logger(__name__)

Chore = Callable[[], Awaitable[int]]
"""Deletes one bounded batch of expired rows; returns their number, 0 when nothing is left."""

ENTRY_RETENTION: Final = timedelta(days=90)
EVENT_RETENTION: Final = timedelta(days=14)


def outbox_chores(database: Database) -> dict[str, Chore]:
    """Return the chores of the outbox's tables."""

    async def entries() -> int:
        return await database.write(lambda connection: prune_entries(connection, ENTRY_RETENTION), alone=True)

    async def events() -> int:
        return await database.write(lambda connection: prune_events(connection, EVENT_RETENTION), alone=True)

    return {"outbox_entries": entries, "domain_events": events}


class Housekeeper:
    """Runs every chore to its end at intervals."""

    def __init__(self, chores: Mapping[str, Chore], every_seconds: float = 3600.0) -> None:
        self._chores = dict(chores)
        self._every_seconds = every_seconds
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run all chores at once and then at intervals, until ``stop``."""
        while not self._stop.is_set():
            await self.run_once()
            try:
                async with asyncio.timeout(self._every_seconds):
                    await self._stop.wait()
            except TimeoutError:
                continue

    async def run_once(self) -> int:
        """Run every chore to its end; return the number of deleted rows. A failed chore is run again next time."""
        total = 0
        for name, chore in self._chores.items():
            try:
                while not self._stop.is_set() and (gone := await chore()):
                    total += gone
            except KswifiError as error:
                _log.warning("chore_put_off", chore=name, reason=error.message)
        return total

    def stop(self) -> None:
        """End ``run`` after its present batch."""
        self._stop.set()

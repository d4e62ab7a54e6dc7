"""Forgets what has had its time, a little at a time, so that no table grows for ever."""

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
"""Deletes one bounded batch of what is old; returns how many rows that were, 0 when it is through."""

ENTRY_RETENTION: Final = timedelta(days=90)
EVENT_RETENTION: Final = timedelta(days=14)


def outbox_chores(database: Database) -> dict[str, Chore]:
    """Return the chores of the outbox's own tables."""

    async def entries() -> int:
        return await database.write(lambda connection: prune_entries(connection, ENTRY_RETENTION), alone=True)

    async def events() -> int:
        return await database.write(lambda connection: prune_events(connection, EVENT_RETENTION), alone=True)

    return {"outbox_entries": entries, "domain_events": events}


class Housekeeper:
    """Does every chore to its end, now and then."""

    def __init__(self, chores: Mapping[str, Chore], every_seconds: float = 3600.0) -> None:
        self._chores = dict(chores)
        self._every_seconds = every_seconds
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Do the chores at once and then again and again, until ``stop``."""
        while not self._stop.is_set():
            await self.run_once()
            try:
                async with asyncio.timeout(self._every_seconds):
                    await self._stop.wait()
            except TimeoutError:
                continue

    async def run_once(self) -> int:
        """Do every chore to its end; return how many rows went. One that is refused waits for the next time."""
        total = 0
        for name, chore in self._chores.items():
            try:
                while not self._stop.is_set() and (gone := await chore()):
                    total += gone
            except KswifiError as error:
                _log.warning("chore_put_off", chore=name, reason=error.message)
        return total

    def stop(self) -> None:
        """Let ``run`` return after the batch it is at."""
        self._stop.set()

"""The outbox worker: it leases entries, bounds their time, and repeats them after a crash.

Any number of workers may run, in any number of processes. One worker handles an entry at a time: the lease is
longer than the time limit of its handler. When a worker dies, another takes over its entries after their leases
expire. So a handler can find work that is half done, or done but not recorded. Hence the rule for handlers: derive
every id from the entry's payload or key, so that repetition has no further effect, and on a repetition
(``attempts`` > 1) reconcile before acting.
"""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from kswifi.database.engine import Database
from kswifi.database.errors import DatabaseBusyError
from kswifi.outbox.leases import finish, lease_due, postpone
from kswifi.outbox.model import Entry, EntryState
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.outbox.service import WORK_TOPIC

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Limits of concurrency, time and repetition.

    A handler is cancelled after ``handler_seconds`` and its result counts as unknown; ``lease_margin_seconds`` is
    the time to record this before the lease expires.
    """

    concurrency: int = 4
    handler_seconds: float = 30.0
    lease_margin_seconds: float = 15.0
    poll_seconds: float = 1.0
    attempts: int = 12
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 300.0


class Worker:
    """Leases due entries of the kinds that it has handlers for, and handles them."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        limits: WorkerLimits | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._handlers = dict(handlers)
        self._limits = limits or WorkerLimits()
        self._chance = chance
        self.owner: Final = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until ``stop``, then let the running handlers finish."""
        unsubscribe = self._database.subscribe(WORK_TOPIC, self._wake.set)
        try:
            while not self._stopping:
                self._wake.clear()
                if await self._take() == 0:
                    await self._wait()
            if self._running:
                await asyncio.wait(self._running)
        finally:
            unsubscribe()
            for task in self._running:
                task.cancel()

    async def run_until_idle(self) -> int:
        """Handle the entries that are due, and those that become due by it; return their number."""
        worked = 0
        while taken := await self._take():
            worked += taken
            await asyncio.wait(self._running)
        return worked

    def stop(self) -> None:
        """Take no further entries; ``run`` then returns."""
        self._stopping = True
        self._wake.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._limits.poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _take(self) -> int:
        """Lease as many entries as there are free handlers, and start on them."""
        free = self._limits.concurrency - len(self._running)
        if free <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return 1  # a handler became free: take again at once
        lease = timedelta(seconds=self._limits.handler_seconds + self._limits.lease_margin_seconds)
        try:
            entries = await self._database.write(
                lambda connection: lease_due(
                    connection, owner=self.owner, kinds=self._handlers, lease_for=lease, limit=free
                )
            )
        except DatabaseBusyError:
            _log.warning("worker_waits_for_database")
            return 0
        for entry in entries:
            task = asyncio.create_task(self._work(entry), name=f"outbox {entry.key}")
            self._running.add(task)
            task.add_done_callback(self._ended)
        return len(entries)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("worker_lost_an_entry", task=task.get_name(), exc_info=error)  # its lease will expire

    async def _work(self, entry: Entry) -> None:
        result = await self._handled(entry)
        held = await self._settle(entry, result)
        if not held:
            _log.warning("worker_lost_a_lease", key=entry.key, attempt=entry.attempts)

    async def _handled(self, entry: Entry) -> JobResult:
        if entry.attempts > self._limits.attempts:
            return Unknown("every worker that tried it died")
        try:
            async with asyncio.timeout(self._limits.handler_seconds):
                return await self._handlers[entry.kind](entry)
        except TimeoutError:
            return Unknown(f"not finished within {self._limits.handler_seconds:g} seconds")
        except Exception as error:  # noqa: BLE001 - see below
            # A handler's defect must neither end the worker nor lose the entry.
            _log.exception("job_failed", kind=entry.kind, key=entry.key, attempt=entry.attempts)
            return Unknown(f"{type(error).__name__}: {error}")

    async def _settle(self, entry: Entry, result: JobResult) -> bool:
        match result:
            case Done():
                return await self._finish(entry, EntryState.DONE)
            case Refused(reason):
                _log.info("job_refused", kind=entry.kind, key=entry.key, reason=reason)
                return await self._finish(entry, EntryState.REFUSED, reason)
            case Unknown(reason) if entry.attempts >= self._limits.attempts:
                _log.error("job_stuck", kind=entry.kind, key=entry.key, reason=reason)
                return await self._finish(entry, EntryState.STUCK, reason)
            case Unknown(reason):
                later = self._database.clock.now() + self._delay(entry.attempts)
                return await self._database.write(lambda connection: postpone(connection, entry, later, reason))

    async def _finish(self, entry: Entry, state: EntryState, reason: str | None = None) -> bool:
        return await self._database.write(lambda connection: finish(connection, entry, state, reason))

    def _delay(self, attempts: int) -> timedelta:
        """Return an exponential back-off with a random half, so that failures do not repeat all at once."""
        longest = self._limits.longest_delay_seconds
        seconds = min(self._limits.first_delay_seconds * 2 ** min(attempts - 1, 30), longest)
        return timedelta(seconds=seconds * (0.5 + self._chance() / 2))

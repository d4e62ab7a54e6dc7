"""The worker of supply: makes all calls to providers that are due, one after the other, within their limits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from kswifi.database.errors import DatabaseBusyError
from kswifi.supply import store
from kswifi.supply.buying import Buying
from kswifi.supply.context import Supply
from kswifi.supply.counting import Counting
from kswifi.supply.switching import Switching

_log = structlog.get_logger(__name__)

AT_ONCE: Final = 20
"""Orders, lines and counters of one provider in one round: none of the three makes the others wait for long."""


class SupplyWorker:
    """Works on what is due in the tables of supply. The tables are its queue, so a crash loses nothing."""

    def __init__(
        self,
        supply: Supply,
        *,
        poll_seconds: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._supply = supply
        self._poll_seconds = poll_seconds
        self._sleep = sleep
        self._buying = Buying(supply)
        self._counting = Counting(supply)
        self._switching = Switching(supply)
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Work until ``stop``."""
        unsubscribe = self._supply.database.subscribe(store.SUPPLY_TOPIC, self._wake.set)
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    worked = await self.round()
                except DatabaseBusyError:
                    _log.warning("supply_waits_for_database")
                    worked = 0
                if not worked:
                    await self._rest()
        finally:
            unsubscribe()

    def stop(self) -> None:
        """Make ``run`` return after the current call."""
        self._stopping = True
        self._wake.set()

    async def round(self) -> int:
        """Make the calls that are due now, at most ``AT_ONCE`` of each kind and provider; return how many."""
        return sum([await self._round_of(name) for name in self._supply.providers])

    async def _round_of(self, name: str) -> int:
        database = self._supply.database
        capabilities = self._supply.providers[name].capabilities
        now = database.clock.now()
        pause = 1 / capabilities.requests_per_second
        calls = 0
        orders = await database.read(lambda connection: store.due_orders(connection, name, now, AT_ONCE))
        switches = await database.read(lambda connection: store.due_lines(connection, name, now, AT_ONCE))
        counted = await database.read(lambda connection: store.due_counters(connection, name, now, AT_ONCE))
        for line_id in switches:
            calls += await self._make(pause, self._switching.work(line_id), "service", line_id)
        for reference in orders:
            calls += await self._make(pause, self._buying.work(reference), "order", reference)
        each = max(1, capabilities.lines_per_usage_call)
        for at in range(0, len(counted), each):
            some = counted[at : at + each]
            calls += await self._make(pause, self._counting.work(name, some), "usage", some[0])
        return calls

    async def _make(self, pause_seconds: float, call: Awaitable[None], kind: str, what: str) -> int:
        """Make a call; a defect in one must not stop the others."""
        if self._stopping:
            getattr(call, "close", lambda: None)()
            return 0
        try:
            await call
        except DatabaseBusyError:
            raise
        except Exception:  # noqa: BLE001 - as said
            _log.exception("supply_call_failed", kind=kind, what=what)
        await self._sleep(pause_seconds)
        return 1

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            return

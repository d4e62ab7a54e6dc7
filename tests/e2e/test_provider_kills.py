"""SIGKILL around each paid call to a data provider: one purchase, found again by its reference, and booked once."""

import asyncio
import hashlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from kswifi.lab.demo.app import PhoneApp, once_mapped
from kswifi.lab.rehearsal.providers.faults import Call, Fault, Wrong
from kswifi.lab.rehearsal.providers.server import RunningProvider
from tests.support.resold_system import resold_system
from tests.support.system import PASSWORD, WholeSystem, control_rows, new_identifier

_SECONDS: Final = 60.0
MOMENTS: Final = ("before", "carried_out", "answered", "settled")
"""When the server dies: "carried_out" is after the provider bought the bundle, and before it answers."""


class Killed:
    """A server in resold mode, the provider in the test's own process, and a phone for each purchase."""

    def __init__(self, system: WholeSystem, running: RunningProvider) -> None:
        self.system, self.running = system, running
        self.references: list[str] = []

    async def buys_once(self, folder: Path, moment: str) -> None:
        """Ask for a bundle, kill the server around the paid call, and start it again: one purchase."""
        await self._prepare(moment)
        app = PhoneApp(self.system.origin)
        try:
            session_id = await asyncio.to_thread(self._brought, app, folder)
            await self._dies(moment, lambda: self._orders_at_provider() > len(self.references))
            await self._until(lambda: asyncio.to_thread(self._portion, app, session_id))
        finally:
            app.close()
        self._settled_once()

    async def _prepare(self, moment: str) -> None:
        self.system.alter.clear()
        if moment == "carried_out":
            self.running.faults.tell(Fault(Wrong.NO_ANSWER, Call.ORDER))
        else:
            self.system.alter["server"] = ("purchase_that_dies", moment)
        await asyncio.to_thread(self.system.start)

    async def _dies(self, moment: str, is_carried_out: Callable[[], bool]) -> None:
        """Wait for the kill, or kill the server from outside, and start it as it is always."""
        if moment == "carried_out":
            async with asyncio.timeout(_SECONDS):
                while not is_carried_out():  # noqa: ASYNC110 - the provider sets no event
                    await asyncio.sleep(0.01)
            self.system.kill("server")
        assert await asyncio.to_thread(self.system.ended_by, "server", _SECONDS) == -signal.SIGKILL
        self.system.alter.clear()
        self.running.faults.forget()
        await asyncio.to_thread(self.system.start_one, "server")

    def _brought(self, app: PhoneApp, folder: Path) -> str:
        """Bring a session of a new account to its line; what is bought for it is under way then."""
        app.register(new_identifier(), PASSWORD)
        if self._is_own_line:
            app.keep_number(f"0803123{len(self.references):04d}", ("mtn",))
        session = once_mapped(lambda: app.order("free-1gb"))
        session_id = str(session["session_id"])
        app.wait_until(session_id, ("packaged",))
        package = folder / session_id
        app.download(session_id, package, lambda _done, _total: None)
        app.downloaded(session_id, hashlib.sha256(package.read_bytes()).hexdigest())
        app.transfer(session_id, str(session["esim_id"]))
        if self._is_own_line:
            app.send_portion(session_id)
        return session_id

    @property
    def _is_own_line(self) -> bool:
        return self.system.environment["KSWIFI_REHEARSAL_PROVIDER"] == "vtpass"

    def _portion(self, app: PhoneApp, session_id: str) -> bool:
        found = app.found(f"/api/v1/sessions/{session_id}/portions")
        portions = [] if found is None else found["portions"]
        delivered = [it["reference"] for it in portions if it["delivered_at"] is not None]
        assert len(portions) <= 1, portions
        self.references += delivered
        return bool(delivered)

    async def _until(self, look: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(_SECONDS):
            while not await look():  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0.1)

    def _orders_at_provider(self) -> int:
        return len(self.running.engine.book.orders)

    def _settled_once(self) -> None:
        """Compare what we have with what the provider has: the same orders, each paid and booked once."""
        ours = control_rows(
            self.system.data_dir,
            "SELECT reference, provider_ref, booked_kobo FROM provider_order ORDER BY created_at",
        )
        theirs = list(self.running.engine.book.orders.values())
        assert [it[0] for it in ours] == self.references
        assert len(theirs) == len(self.references)
        for (reference, provider_ref, booked), order in zip(ours, theirs, strict=True):
            assert order.reference in (None, reference)  # eSIM Go has no place for ours
            assert order.reference == reference or provider_ref == order.number
            assert booked > 0
        kobo = "SELECT coalesce(sum(amount_kobo), 0) FROM book_line"
        ((cost,),) = control_rows(self.system.data_dir, f"{kobo} WHERE account = 'cost_of_data'")
        ((total,),) = control_rows(self.system.data_dir, kobo)
        assert (cost, total) == (sum(it[2] for it in ours), 0)


async def test_a_purchase_whose_answer_is_lost_in_a_kill_is_found_again(tmp_path: Path) -> None:
    async with resold_system(tmp_path, "esim_go") as (system, running):
        killed = Killed(system, running)
        for moment in ("carried_out", "answered"):
            await killed.buys_once(tmp_path, moment)
            await asyncio.to_thread(system.stop)


@pytest.mark.soak
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", ["esim_go", "esim_access", "vtpass"])
async def test_a_server_killed_around_a_paid_call_buys_once(tmp_path: Path, name: str, moment: str) -> None:
    if (name, moment) in (("esim_go", "before"), ("vtpass", "before")):
        pytest.skip("an order that never arrived is given up after ten minutes")
    async with resold_system(tmp_path, name) as (system, running):
        await Killed(system, running).buys_once(tmp_path, moment)

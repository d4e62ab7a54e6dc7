"""The contract of every ``ProfileDelivery``: by our own SM-DP+, and by an external SM-DP+ over ES2+."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kswifi.bench.es9_client import Es9FailedError
from kswifi.esim.cancellation import withdraw_profile
from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import ESim
from kswifi.kernel.ids import uuid7
from kswifi.outbox.results import Done, Refused
from kswifi.rsp.messages.notifications import InstallError, InstallFailure
from kswifi.rsp.status_codes import RspRefusedError
from kswifi.sessions.model import InternetSession
from tests.support.peers import Delivered, Peer, delivered_by, running_peer
from tests.support.session_roads import ADA, Road, open_road

RECORD = bytes(range(100))


@dataclass
class Way:
    """One delivery, and how a card comes for what it released."""

    road: Road
    other: Delivered | None

    async def line(self) -> ESim:
        return await self.road.database.write(lambda connection: self.road.orders.allocate(connection, ADA))

    async def now(self, line: ESim) -> ESim:
        return await self.road.database.read(lambda connection: find_esim(connection, line.esim_id))

    async def download(self, line: ESim) -> None:
        """Have a card download the profile; raises where it may not."""
        if self.other is not None:
            self.other.download(line.matching_id)
        else:
            await self.road.download(_of(line))

    async def fail(self, line: ESim) -> None:
        """Have a card download it, fail it, and say so."""
        if self.other is None:
            got = await self.road.download(_of(line))
            await self.road.results.handle_notification(
                got.result(InstallFailure(5, InstallError.INSUFFICIENT_MEMORY))
            )
        else:
            walk, _ = self.other.download(line.matching_id)
            tid = bytes.fromhex(walk.transaction_id)
            failure = InstallFailure(5, InstallError.INSUFFICIENT_MEMORY)
            oid = self.other.peer.server.oid
            walk.notify(walk.card.install_result(tid, walk.metadata.iccid, walk.address, oid, failure).encode())
            await self.other.tell(_of(line), 4, "no memory")
        await self.road.settle()

    async def orders(self, line: ESim) -> list[str]:
        """Return the states of the orders that the SM-DP+ has for this line, the withdrawn ones left out."""
        query = f"SELECT profile_state FROM profile_order WHERE iccid = '{line.iccid}'"
        if self.other is None:
            found = await self.road.database.write(lambda c: c.exec_driver_sql(query).scalars().all())
        else:
            found = self.other.peer.server.write(lambda c: c.exec_driver_sql(query).scalars().all())
        return [state for state in found if state not in ("unavailable", "available")]


Open = Callable[[Path], AbstractAsyncContextManager[Way]]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with running_peer(tmp_path_factory.mktemp("peer")) as one:
        yield one


@pytest.fixture(params=["own", "external"])
def way(request: pytest.FixtureRequest, peer: Peer) -> Open:
    @asynccontextmanager
    async def own(folder: Path) -> AsyncIterator[Way]:
        async with open_road(folder) as road:
            yield Way(road, None)

    @asynccontextmanager
    async def others(folder: Path) -> AsyncIterator[Way]:
        async with delivered_by(peer, folder) as other:
            yield Way(other.road, other)

    return own if request.param == "own" else others


async def test_a_delivered_profile_can_be_downloaded_and_one_that_is_not_cannot(way: Open, tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        line = await it.line()
        assert line.profile_state == "allocated"
        with pytest.raises((Es9FailedError, RspRefusedError)):
            await it.download(line)
        assert await it.road.delivery.deliver(line.esim_id, RECORD) == Done()
        assert (await it.now(line)).profile_state == "released"
        await it.download(line)


async def test_asked_again_and_twice_at_once_it_is_ordered_once(way: Open, tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        line = await it.line()
        asked = [it.road.delivery.deliver(line.esim_id, RECORD) for _ in range(4)]
        assert await asyncio.gather(*asked) == [Done()] * 4
        assert await it.road.delivery.deliver(line.esim_id, RECORD) == Done()
        assert await it.orders(line) == ["released"]


async def test_it_refuses_lines_that_are_not_there(way: Open, tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        nobody = str(uuid7(it.road.clock.now()))
        assert isinstance(await it.road.delivery.deliver(nobody, RECORD), Refused)


async def test_a_withdrawn_profile_is_not_delivered(way: Open, tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        line = await it.line()
        await it.road.delivery.deliver(line.esim_id, RECORD)
        await it.road.database.write(lambda connection: withdraw_profile(connection, line.esim_id))
        assert (await it.now(line)).profile_state == "unavailable"
        assert isinstance(await it.road.delivery.deliver(line.esim_id, RECORD), Refused)
        await it.road.settle()
        with pytest.raises((Es9FailedError, RspRefusedError)):
            await it.download(line)
        assert not await it.orders(line)


async def test_a_profile_that_its_card_failed_can_be_delivered_again(way: Open, tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        line = await it.line()
        await it.road.delivery.deliver(line.esim_id, RECORD)
        await it.fail(line)
        assert (await it.now(line)).profile_state == "error"
        assert await it.road.delivery.deliver(line.esim_id, RECORD) == Done()
        await it.download(line)
        assert await it.orders(line) == ["downloaded"]


def _of(line: ESim) -> InternetSession:
    """Return something that names the line, as the road's steps take it."""

    class Named:
        esim_id = line.esim_id

    return Named()  # type: ignore[return-value]

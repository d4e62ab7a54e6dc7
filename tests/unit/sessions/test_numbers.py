"""Numbers of the network are scarce: ordering and taking back, again and again, uses up none."""

from pathlib import Path

from sqlalchemy import func, select

from kswifi.esim.sql import esim
from kswifi.sessions.model import SessionState
from kswifi.sessions.orders import NEW_ESIM
from tests.support.session_roads import ADA, BOLA, GB, Road, open_road


async def lines(road: Road) -> int:
    return await road.database.read(
        lambda connection: int(connection.scalar(select(func.count()).select_from(esim)) or 0)
    )


async def test_a_line_whose_session_was_taken_back_serves_the_next_order(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        taken_back = ""
        for number in range(6):
            wanted = NEW_ESIM if number % 2 else None
            session = await road.downloads.order(ADA, "free-1gb", esim_id=wanted)
            if number % 3:  # taken back before it was ever worked on, or after
                await road.settle()
            await road.downloads.cancel(ADA, session.session_id)
            taken_back = session.esim_id
        assert await lines(road) == 1
        stored = await road.stored(GB)
        assert (stored.state, stored.esim_id) == (SessionState.STORED, taken_back)
        await road.use(stored, 1_000)
        assert (await road.now(stored)).state is SessionState.ACTIVE


async def test_a_line_is_never_shared_nor_given_to_another(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        first, second = [await road.downloads.order(ADA, "free-1gb") for _ in range(2)]
        assert first.esim_id != second.esim_id, "both wait for their first session"
        await road.downloads.cancel(ADA, first.session_id)
        other = await road.downloads.order(BOLA, "free-1gb")
        assert other.esim_id not in (first.esim_id, second.esim_id)
        released = await road.transferring(GB)
        assert released.esim_id == first.esim_id
        await road.downloads.cancel(ADA, released.session_id)
        again = await road.downloads.order(ADA, "free-1gb")
        assert again.esim_id not in (first.esim_id, second.esim_id), "a card may have fetched it already"

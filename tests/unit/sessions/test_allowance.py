"""The free allowance: never more than it is, and back when nothing was used."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from kswifi.free_data.errors import AllowanceExceededError, TooMuchUnspentError
from kswifi.free_data.rules import FreeDataRules
from kswifi.sessions.model import SessionState
from tests.support.session_roads import ADA, BOLA, GB, open_road


async def test_five_gigabytes_in_thirty_rolling_days(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        first = await road.stored(GB)
        await road.use(first, GB)
        road.clock.advance(timedelta(days=1))
        await road.downloads.download_session(ADA, 3 * GB)
        with pytest.raises(AllowanceExceededError) as refused:
            await road.downloads.download_session(ADA, 3 * GB)
        assert refused.value.facts == {
            "do": "wait",
            "left_octets": GB,
            "asked_octets": 3 * GB,
            "wait_until": (road.clock.now() + timedelta(days=30)).isoformat(),
        }
        await road.downloads.download_session(ADA, GB)
        with pytest.raises(AllowanceExceededError):
            await road.downloads.download_session(ADA, GB)
        await road.downloads.download_session(BOLA, 5 * GB)
        # The first order leaves the window; the second, a day later, does not yet.
        road.clock.advance(timedelta(days=29))
        await road.downloads.download_session(ADA, GB)
        with pytest.raises(AllowanceExceededError):
            await road.downloads.download_session(ADA, GB)


async def test_no_more_than_five_gigabytes_lie_unspent(tmp_path: Path) -> None:
    rules = FreeDataRules(allowance_octets=100 * GB, unspent_octets=5 * GB)

    async with open_road(tmp_path, rules) as road:
        session = await road.stored(3 * GB)
        await road.downloads.download_session(ADA, GB)
        with pytest.raises(TooMuchUnspentError) as refused:
            await road.downloads.download_session(ADA, 3 * GB)
        assert refused.value.facts == {"do": "use_some", "room_octets": GB, "asked_octets": 3 * GB}
        await road.use(session, 2 * GB - 1, 1)
        with pytest.raises(TooMuchUnspentError):
            await road.downloads.download_session(ADA, 3 * GB)
        await road.use(session, 1, 2)
        await road.downloads.download_session(ADA, 3 * GB)


async def test_the_limits_are_exact_to_the_octet(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("both", "free", "unspent")}
    for folder in folders.values():
        folder.mkdir()

    async def order(name: str, free: int, unspent: int) -> None:
        async with open_road(folders[name], FreeDataRules(allowance_octets=free, unspent_octets=unspent)) as road:
            await road.downloads.download_session(ADA, GB)

    await order("both", GB, GB)
    with pytest.raises(AllowanceExceededError):
        await order("free", GB - 1, GB)
    with pytest.raises(TooMuchUnspentError):
        await order("unspent", GB, GB - 1)


async def test_a_race_of_orders_takes_the_allowance_once(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        orders = [road.downloads.download_session(ADA, 3 * GB) for _ in range(20)]
        results = await asyncio.gather(*orders, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert len(await road.downloads.sessions(ADA)) == 1


async def test_what_expired_or_was_revoked_unspent_comes_back_and_what_was_used_does_not(tmp_path: Path) -> None:
    rules = FreeDataRules(allowance_days=365)

    async with open_road(tmp_path, rules) as road:
        touched = await road.stored(GB)
        await road.use(touched, 1)
        session = await road.downloads.download_session(ADA, 3 * GB)
        road.clock.advance(timedelta(days=31))
        await road.settle()
        assert (await road.now(touched)).state is SessionState.EXPIRED
        assert (await road.now(session)).state is SessionState.EXPIRED
        with pytest.raises(AllowanceExceededError) as refused:
            await road.downloads.download_session(ADA, 5 * GB)
        assert refused.value.facts["left_octets"] == 4 * GB
        assert await road.database.read(partial(road.free_data.left_octets, user_id=ADA)) == 4 * GB
        assert await road.database.read(partial(road.free_data.left_octets, user_id=BOLA)) == 5 * GB

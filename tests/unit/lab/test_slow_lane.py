"""The allowance of control-only access: a rate in octets per second, with bursts of one second."""

import asyncio

import pytest

from kswifi.lab.gateway.bearer import SlowLane


async def test_the_bucket_holds_one_second_and_fills_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    lane = SlowLane(40_000)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
        seen = [lane.available()]
        lane.take(40_000, uplink=False)
        seen.append(lane.available())
        now[0] += 0.25
        seen.append(lane.available())
        lane.give_back(5_000, uplink=False)
        seen.append(lane.available())
        now[0] += 60
        seen.append(lane.available())
    assert seen == [40_000, 0, 10_000, 15_000, 40_000]

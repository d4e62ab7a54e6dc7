"""Writes that may be refused are refused by the wait that is expected, and no others."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.database import engine
from kswifi.database.engine import BUSY_SECONDS, SHED_SECONDS, writes_may_be_refused
from kswifi.database.errors import DatabaseBusyError
from kswifi.database.wait_estimate import WaitEstimate
from tests.support.databases import open_database

SECONDS = st.floats(0.0001, 1.0)


@pytest.mark.parametrize(
    ("steps", "seconds", "alone", "waiting", "expected"),
    [
        (64, 0.64, False, (100, 0), 1.0),  # 10 ms a step
        (1, 0.5, True, (0, 4), 2.0),
        (1, 0.5, True, (10, 0), 0.0),  # shared steps have not been seen yet
        (0, 9.0, False, (10, 10), 0.0),  # a transaction that ran no step says nothing
    ],
)
def test_the_wait_follows_what_steps_took(
    steps: int, seconds: float, alone: bool, waiting: tuple[int, int], expected: float
) -> None:
    estimate = WaitEstimate()
    for _ in range(200):
        estimate.note(steps, seconds, alone=alone)
    assert estimate.seconds(*waiting) == pytest.approx(expected)


@given(took=st.lists(SECONDS, min_size=1), waiting=st.integers(0, 1_000))
def test_the_wait_of_a_step_is_never_longer_than_the_longest(took: list[float], waiting: int) -> None:
    estimate = WaitEstimate()
    for seconds in took:
        estimate.note(1, seconds, alone=False)
    assert estimate.seconds(waiting, 0) <= waiting * max(took) + 1e-9
    assert estimate.seconds(waiting + 1, 0) >= estimate.seconds(waiting, 0)


async def test_of_a_thousand_writes_those_beyond_the_wait_are_shed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimate says 10 ms a step: 200 of them fit into two seconds."""
    monkeypatch.setattr(WaitEstimate, "seconds", lambda _self, shared, alone: (shared + alone) * 0.01)
    async with open_database(tmp_path) as database:
        ran: list[int] = []

        async def one(number: int) -> None:
            with writes_may_be_refused():
                await database.write(lambda _connection: ran.append(number))

        results = await asyncio.gather(*(one(number) for number in range(1_000)), return_exceptions=True)
        refused = [it for it in results if isinstance(it, DatabaseBusyError)]
        fit = int(SHED_SECONDS / 0.01) + 1
        assert (len(refused), ran) == (1_000 - fit, list(range(fit)))
        assert {it.facts["retry_after_seconds"] for it in refused} == {3}
        # A write that nobody can repeat waits, in the same queue and at the same time.
        with writes_may_be_refused():
            own = [database.write(lambda _connection: None, wait_seconds=BUSY_SECONDS) for _ in range(300)]
            await asyncio.gather(*own)
        await asyncio.gather(*(database.write(lambda _connection: None) for _ in range(300)))


async def test_a_refusal_is_no_matter_of_another_context(tmp_path: Path) -> None:
    async with open_database(tmp_path):
        with writes_may_be_refused():
            assert engine._may_be_refused.get()
        assert not engine._may_be_refused.get()

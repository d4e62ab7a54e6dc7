"""Free sessions in tranches: money is reserved for what is released, and no day and no budget is ever overdrawn."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from kswifi.books.model import Account
from kswifi.books.service import balances
from kswifi.free_data import budgets
from kswifi.free_data.errors import BudgetGoneError
from kswifi.free_data.grants import release_tranche, waiting_for_release
from kswifi.free_data.model import BudgetKind, FreeGrant, first_tranche, released_next
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_budget_day, free_grant
from tests.support.free_data import GB, Given, open_free_data, user

MB = GB // 1000
ADA, BOLA = user(0), user(1)
PRICE = 20_000


def _rules(**changed: object) -> FreeDataRules:
    base: dict[str, object] = {"allowance_octets": 100 * GB, "unspent_octets": 100 * GB, "cost_kobo_per_gb": PRICE}
    return FreeDataRules(**{**base, "tranche_octets": 200 * MB, **changed})  # type: ignore[arg-type]


async def release(given: Given, session_id: str, rules: FreeDataRules) -> FreeGrant | None:
    return await given.database.write(lambda connection: release_tranche(connection, session_id, rules))


async def days(given: Given) -> dict[str, int]:
    def look(connection: Connection) -> dict[str, int]:
        rows = connection.execute(select(free_budget_day.c.day, free_budget_day.c.committed_kobo))
        return {row.day: row.committed_kobo for row in rows}

    return await given.database.read(look)


@for_all(st.integers(1, 10**4), st.integers(2, 10**4), st.lists(st.integers(0, 3000), max_size=40))
def test_use_of_a_session_in_steps_releases_all_of_it(octets: int, tranche: int, steps: list[int]) -> None:
    """Each release leaves more than half a tranche unused, or the whole is released; nothing is released unused."""
    used, released = 0, first_tranche(octets, tranche)
    for step in [*steps, *[tranche] * (octets // max(1, tranche // 2) + 2)]:
        used = min(released, used + step)
        grant = FreeGrant("s", "u", octets, used, released, tranche, 0, None, 0, 0, "2026-11-23", None, None)
        following = released_next(grant)
        assert (following > released) is grant.wants_release
        released = following
        assert used <= released <= octets
        assert released == octets or released - used > tranche // 2
        assert released - used <= tranche + -(-tranche // 2)
    assert used == octets


async def test_money_is_reserved_for_what_is_released(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        rules = given.free_data.rules
        await given.set_budget(100_000)
        session_id = await given.order(ADA)
        assert (await given.budget()).reserved_kobo == 4_000
        assert (await given.use(session_id, 99 * MB)).wants_release is False
        assert await release(given, session_id, rules) is None
        assert (await given.use(session_id, 100 * MB)).wants_release
        grant = await release(given, session_id, rules)
        assert grant is not None
        assert (grant.released_octets, grant.withheld_octets) == (400 * MB, 600 * MB)
        assert await release(given, session_id, rules) is None
        budget = await given.budget()
        assert (budget.reserved_kobo, budget.spent_kobo) == (6_000, 2_000)
        ended = await given.use(session_id, 150 * MB, ended=True)
        assert (ended.reserved_kobo, ended.spent_kobo) == (0, 3_000)
        assert await release(given, session_id, rules) is None
        budget = await given.budget()
        assert (budget.reserved_kobo, budget.spent_kobo) == (0, 3_000)
        assert await days(given) == {grant.ordered_on: 3_000}


async def test_what_comes_back_comes_back_on_the_day_that_reserved_it(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        session_id = await given.order(ADA)
        first = (await given.grant(session_id)).ordered_on
        await given.use(session_id, 110 * MB)
        given.clock.advance(timedelta(days=40))
        grant = await release(given, session_id, given.free_data.rules)
        assert grant is not None
        assert await days(given) == {first: 2_200, grant.ordered_on: 5_800}
        await given.use(session_id, 110 * MB, ended=True)
        assert await days(given) == {first: 2_200, grant.ordered_on: 0}


async def test_a_refund_on_a_later_day_leaves_no_day_below_nothing(
    tmp_path: Path,
) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        await given.set_budget(100_000)
        session_id = await given.order(ADA)
        await given.use(session_id, 110 * MB)
        given.clock.advance(timedelta(days=1))
        assert await release(given, session_id, given.free_data.rules) is not None
        await given.use(session_id, 0)
        await given.use(session_id, 0, ended=True)
        budget = await given.budget()
        assert (budget.reserved_kobo, budget.spent_kobo) == (0, 0)
        assert min((await days(given)).values()) == 0


async def test_a_tranche_waits_for_money_and_for_the_end_of_a_stop(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        rules = given.free_data.rules
        await given.set_budget(4_000)
        session_id = await given.order(ADA)
        await given.use(session_id, 150 * MB)
        assert await release(given, session_id, rules) is None

        def change(connection: Connection) -> None:
            assert waiting_for_release(connection, 10) == [session_id]
            budgets.stop(connection, "closed for today")

        await given.database.write(change)
        await given.set_budget(8_000)
        assert await release(given, session_id, rules) is None
        await given.database.write(budgets.resume)
        assert (await release(given, session_id, rules)) is not None
        assert await given.database.read(lambda connection: waiting_for_release(connection, 10)) == []
        assert (await given.budget()).left_kobo == 0


async def test_a_ceiling_of_all_budgets_holds_where_none_is_set_up(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(daily_kobo=7000)) as given:
        session_id = await given.order(ADA)
        await given.use(session_id, 150 * MB)
        assert await release(given, session_id, given.free_data.rules) is None
        given.clock.advance(timedelta(days=1))
        assert await release(given, session_id, given.free_data.rules) is not None


async def test_what_is_counted_again_on_a_later_day_fits_its_ceiling_too(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(daily_kobo=4999)) as given:
        rules = given.free_data.rules
        session_id = await given.order(ADA)
        await given.use(session_id, 150 * MB)
        before = await days(given)
        given.clock.advance(timedelta(days=1))
        assert await release(given, session_id, rules) is None, "1,000 of the first tranche and 4,000 of the next"
        assert await days(given) == before
        grant = await release(given, session_id, replace(rules, daily_kobo=5_000))
        assert grant is not None
        assert (await days(given))[grant.ordered_on] == 5_000


async def test_two_releases_at_once_release_one_tranche(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        session_id = await given.order(ADA)
        await given.use(session_id, 120 * MB)
        released = await asyncio.gather(*(release(given, session_id, given.free_data.rules) for _ in range(20)))
        assert sum(it is not None for it in released) == 1
        assert (await given.grant(session_id)).released_octets == 400 * MB


async def test_use_beyond_a_budget_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    """Nothing should bring it about; if something does, the budget is full, and balances go on."""
    async with open_free_data(tmp_path, _rules()) as given:
        await given.set_budget(8_000)
        ended = await given.order(ADA)
        await given.use(ended, 0, ended=True)
        await given.order(BOLA)
        for used, open_octets, expected in ((150 * MB, 150 * MB, (3_000, 1_000)), (GB, 0, (4_000, 0))):
            grant = await given.use(ended, used, open_octets=open_octets, ended=True)
            assert (grant.spent_kobo, grant.reserved_kobo) == expected
            assert (await given.budget()).left_kobo == 0
        await given.set_budget(100_000)
        assert (await given.use(ended, GB, ended=True)).spent_kobo == PRICE


STEPS = ("order", "use", "use", "use", "refund", "refund", "end", "late", "day", "day", "grow")


@pytest.mark.parametrize("seed", range(12))
async def test_money_adds_up_whatever_is_used_refunded_and_released_on_whatever_day(
    tmp_path: Path, seed: int
) -> None:
    """What budgets have reserved and spent is what their sessions have; in the end the books have all of it."""

    chance = Random(seed)

    async with open_free_data(tmp_path, _rules(cost_kobo_per_gb=777)) as given:
        await given.set_budget(2_500, "acme", BudgetKind.SPONSOR)
        left: dict[str, int] = {}  # octets that an ended session still holds in reservations
        mine: list[str] = []
        for _ in range(60):
            what, number = chance.choice(STEPS), chance.randrange(1 << 40)
            if what == "order":
                with suppress(BudgetGoneError):
                    mine.append(await given.order(ADA, 1 + number % GB))
            elif what == "day":
                given.clock.advance(timedelta(days=1 + number % 3))
            elif what == "grow":
                await given.set_budget((await given.budget("acme")).total_kobo + 99, "acme", BudgetKind.SPONSOR)
            elif mine:
                await _step(given, chance.choice(mine), left, what, number)
            await _require_sums(given)
        for session_id in mine:
            await given.use(session_id, (await given.grant(session_id)).used_octets, ended=True)
        budget = await given.budget("acme")
        assert budget.reserved_kobo == 0
        booked = await given.database.read(balances)
        assert booked[Account.COST_OF_DATA] == booked[Account.SPONSORS_DEPOSITS] == budget.spent_kobo


async def _step(given: Given, session_id: str, left: dict[str, int], what: str, number: int) -> None:
    grant = await given.grant(session_id)
    used, open_octets = grant.used_octets, left.get(session_id)
    if open_octets is not None:
        more = number % (open_octets + 1) if what == "late" else 0
        left[session_id] = (open_octets - more) // 2
        await given.use(session_id, used + more, open_octets=left[session_id], ended=True)
    elif what == "end":
        left[session_id] = number % (grant.released_octets - used + 1)
        await given.use(session_id, used, open_octets=left[session_id], ended=True)
    elif what == "refund":
        await given.use(session_id, number % (used + 1))
    else:
        await given.use(session_id, used + number % (grant.released_octets - used + 1))
        await release(given, session_id, given.free_data.rules)


async def _require_sums(given: Given) -> None:
    budget, t = await given.budget("acme"), free_grant.c

    def look(connection: Connection) -> None:
        sums = select(func.coalesce(func.sum(t.reserved_kobo), 0), func.coalesce(func.sum(t.spent_kobo), 0))
        assert connection.execute(sums).one() == (budget.reserved_kobo, budget.spent_kobo)

    await given.database.read(look)
    counted = (await days(given)).values()
    assert min(counted, default=0) >= 0
    assert sum(counted) >= budget.reserved_kobo + budget.spent_kobo


async def test_the_whole_counts_as_unspent_and_without_tranches_all_is_released(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        await given.order(ADA, 5 * GB)
        standing = await given.free_data.standing(ADA, ())
        assert standing.unspent_room_octets == 95 * GB
        given.free_data.rules = _rules(tranche_octets=None)
        grant = await given.grant(await given.order(BOLA))
        assert (grant.released_octets, grant.tranche_octets, grant.reserved_kobo) == (GB, None, PRICE)

"""A free session in tranches along its road: order, ledger, use, expiry; and crashes wherever they come."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from kswifi.free_data.budgets import set_budget
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules
from kswifi.ledger.commands import OutcomeCode, Refund
from kswifi.ledger.state import AccountStatus
from kswifi.sessions.model import Balance, InternetSession, SessionState
from kswifi.sessions.store import get_balance
from kswifi.sessions.tranches import release_waiting
from tests.support.session_roads import GB, Road, open_road

MB = GB // 1000
RULES = FreeDataRules(tranche_octets=200 * MB, cost_kobo_per_gb=20_000)


async def balance(road: Road, session: InternetSession) -> Balance:
    return await road.database.read(lambda connection: get_balance(connection, session.session_id)[0])


async def test_a_session_is_used_to_its_last_octet_without_a_cut(tmp_path: Path) -> None:
    async with open_road(tmp_path, RULES) as road:
        session = await road.stored()
        assert await balance(road, session) == Balance(200 * MB, available=200 * MB, withheld=800 * MB)
        for number in range(100):
            outcome = await road.use(session, 10 * MB, number)
            assert outcome.overrun_octets == 0
            at = await balance(road, session)
            assert at.available + at.withheld == GB - (number + 1) * 10 * MB
            assert at.withheld == 0 or at.available > 100 * MB, "the next tranche comes half-way through the last"
            state = (await road.now(session)).state
            assert state is (SessionState.EXHAUSTED if number == 99 else SessionState.ACTIVE)
        assert await balance(road, session) == Balance(GB, used=GB)


async def test_a_session_that_waits_for_money_is_not_over_and_goes_on_with_it(tmp_path: Path) -> None:
    async with open_road(tmp_path, RULES) as road:
        await road.database.write(lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, 4_000))
        session = await road.stored()
        await road.use(session, 200 * MB)
        assert (await road.reserve(session, MB, 1)).code is OutcomeCode.NOTHING_USABLE
        assert (await road.now(session)).state is SessionState.ACTIVE
        assert await release_waiting(road.database, RULES) == 0
        await road.database.write(
            lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, 20_000)
        )
        assert await release_waiting(road.database, RULES) == 1
        assert await release_waiting(road.database, RULES) == 0
        await road.settle()
        assert await balance(road, session) == Balance(
            400 * MB, used=200 * MB, available=200 * MB, withheld=600 * MB
        )
        assert (await road.reserve(session, MB, 2)).code is OutcomeCode.DONE


async def test_what_was_never_released_ends_with_the_session(tmp_path: Path) -> None:
    async with open_road(tmp_path, RULES) as road:
        session = await road.stored()
        await road.use(session, 150 * MB)
        road.clock.advance(timedelta(days=31))
        await road.settle()
        assert (await road.now(session)).state is SessionState.EXPIRED
        assert await balance(road, session) == Balance(400 * MB, used=150 * MB, expired=250 * MB)
        assert road.ledger.state.accounts[session.session_id].status is AccountStatus.EXPIRED


async def test_what_the_network_refunds_on_another_day_does_not_stop_the_projector(tmp_path: Path) -> None:
    async with open_road(tmp_path, RULES) as road:
        session = await road.stored()
        await road.use(session, 90 * MB)
        road.clock.advance(timedelta(days=1))
        await road.use(session, 20 * MB, 1)
        refund = Refund("refund", session.esim_id, 110 * MB)
        assert (await road.ledger.execute(refund)).code is OutcomeCode.DONE
        road.clock.advance(timedelta(days=31))
        await road.settle()
        assert (await road.now(session)).state is SessionState.EXPIRED
        assert await balance(road, session) == Balance(400 * MB, expired=400 * MB)


async def test_without_tranches_all_is_there_at_once(tmp_path: Path) -> None:
    async with open_road(tmp_path, replace(RULES, tranche_octets=None)) as road:
        assert await balance(road, await road.stored()) == Balance(GB, available=GB)


@pytest.mark.parametrize("seed", range(6))
async def test_use_and_restarts_at_random_lose_no_tranche(tmp_path: Path, seed: int) -> None:
    """The process dies between booking, projecting and crediting; what is due comes all the same, and once."""
    chance = Random(seed)

    async with open_road(tmp_path, RULES) as road:
        session = await road.stored()
        clock = road.clock
    used, number = 0, 0
    while used < GB:
        async with open_road(tmp_path, RULES, clock) as road:
            for _ in range(chance.randint(1, 4)):
                if used == GB:
                    break
                number += 1
                outcome = await road.reserve(session, min(chance.randint(1, 90) * MB, GB - used), number)
                if outcome.code is OutcomeCode.DONE:
                    await road.commit(session, outcome.granted_octets, number)
                    used += outcome.granted_octets
                if chance.random() < 0.5:
                    await road.projector.catch_up()
            if chance.random() < 0.5:
                await road.settle()
    async with open_road(tmp_path, RULES, clock) as road:
        await road.settle()
        assert await balance(road, session) == Balance(GB, used=GB)
        assert (await road.now(session)).state is SessionState.EXHAUSTED
        assert road.ledger.state.accounts[session.session_id].overrun == 0

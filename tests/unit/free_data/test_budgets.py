"""Money for free data: never more promised than there is, and what was not used comes back."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from kswifi.books.model import Account
from kswifi.books.service import balances
from kswifi.free_data import budgets, waiting
from kswifi.free_data.chores import forget_marks, tell_alerts
from kswifi.free_data.errors import BUDGET_INVALID, NO_WAITING_LIST, UNKNOWN_BUDGET, BudgetGoneError
from kswifi.free_data.model import BudgetKind, FreeGrant, cost_of, money_of
from kswifi.free_data.rules import FreeDataRules, WhenBudgetGone
from kswifi.free_data.sql import free_budget_day, free_grant
from kswifi.outbox.sql import domain_event
from tests.support.free_data import GB, Given, free_offer, open_free_data, user
from tests.support.refusals import refused

ADA, BOLA, CHIDI = user(0), user(1), user(2)


def _rules(cost: int = 20_000, **changed: object) -> FreeDataRules:
    base: dict[str, object] = {"allowance_octets": 1000 * GB, "unspent_octets": 1000 * GB, "cost_kobo_per_gb": cost}
    return FreeDataRules(**{**base, **changed})  # type: ignore[arg-type]


@for_all(st.integers(0, 10**13), st.integers(0, 10**6))
def test_a_cost_is_never_below_the_true_one_nor_a_kobo_above(octets: int, kobo_per_gb: int) -> None:
    cost = cost_of(octets, kobo_per_gb)
    assert 0 <= cost * GB - octets * kobo_per_gb < GB


@for_all(st.integers(1, 10**11), st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 10**12))
def test_spent_and_reserved_never_exceed_what_was_reserved_at_first(
    octets: int, price: int, used: int, open_octets: int
) -> None:
    grant = FreeGrant(
        "s", "u", octets, 0, octets, None, price, None, cost_of(octets, price), 0, "2026-11-23", None, None
    )
    money = money_of(grant, used, open_octets)
    assert money.spent_kobo >= 0
    assert money.reserved_kobo >= 0
    assert money.spent_kobo + money.reserved_kobo <= cost_of(octets, price)


async def test_two_orders_at_once_cannot_both_take_the_last_kobo(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(), users=40) as given:
        await given.set_budget(3 * 20_000 + 19_999)
        orders = [given.order(user(number), GB) for number in range(40)]
        results = await asyncio.gather(*orders, return_exceptions=True)
        assert sum(isinstance(result, str) for result in results) == 3
        assert all(isinstance(result, (str, BudgetGoneError)) for result in results)
        budget = await given.budget()
        assert (budget.reserved_kobo, budget.spent_kobo, budget.left_kobo) == (60_000, 0, 19_999)


async def test_what_is_used_is_spent_and_the_rest_comes_back_once(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        await given.set_budget(100_000)
        session_id = await given.order(ADA, 5 * GB)
        grant = await given.use(session_id, GB)
        assert (grant.spent_kobo, grant.reserved_kobo) == (20_000, 80_000)
        # Expired while a reservation of half a GB is still out: that much is kept until it has come back.
        await given.use(session_id, GB, open_octets=GB // 2, ended=True)
        budget = await given.budget()
        assert (budget.spent_kobo, budget.reserved_kobo, budget.left_kobo) == (20_000, 10_000, 70_000)
        assert await _book(given, Account.COST_OF_DATA) == 0
        for _ in range(3):
            await given.use(session_id, GB + GB // 4, ended=True)
        budget = await given.budget()
        assert (budget.spent_kobo, budget.reserved_kobo, budget.left_kobo) == (25_000, 0, 75_000)
        assert await _book(given, Account.COST_OF_DATA) == 25_000
        assert await _book(given, Account.OWED_FOR_DATA) == -25_000
        assert await _book(given, Account.SPONSORS_DEPOSITS) == 0


async def _book(given: Given, account: Account) -> int:
    return await given.database.read(lambda connection: balances(connection)[account])


async def test_a_sponsors_deposit_pays_when_the_operators_budget_is_gone(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        await given.set_budget(20_000)
        await given.set_budget(20_000, "mtn", BudgetKind.SPONSOR)
        await given.set_budget(10**9, "cafe", BudgetKind.VENUE)
        sessions = [await given.order(ADA), await given.order(ADA)]
        assert [(await given.grant(it)).budget_id for it in sessions] == ["operator", "mtn"]
        with pytest.raises(BudgetGoneError):  # a venue pays for its vouchers alone
            await given.order(ADA)
        await given.use(sessions[1], GB, ended=True)
        assert await _book(given, Account.SPONSORS_DEPOSITS) == 20_000
        assert await _book(given, Account.SPONSORED_REVENUE) == -20_000


async def test_the_ceilings_of_day_and_month_are_local_and_count_what_comes_back(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(daily_kobo=40000, monthly_kobo=60000)) as given:
        first = await given.order(ADA, 2 * GB)
        with pytest.raises(BudgetGoneError):
            await given.order(BOLA)
        await given.use(first, 0, ended=True)
        await given.order(BOLA, 2 * GB)
        given.clock.advance(timedelta(hours=15))  # Lagos is an hour ahead of 23:00 UTC: the next local day
        await given.order(CHIDI, GB)
        with pytest.raises(BudgetGoneError):  # three of the month's three
            await given.order(CHIDI, GB)
        given.clock.advance(timedelta(days=7))
        await given.order(CHIDI, GB)


async def test_a_budgets_own_ceilings_pass_the_order_on_to_the_next(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        await given.set_budget(10**6, daily_kobo=20_000)
        await given.set_budget(10**6, "sponsor", BudgetKind.SPONSOR, monthly_kobo=20_000)
        paid = [(await given.grant(await given.order(ADA))).budget_id for _ in range(2)]
        assert paid == ["operator", "sponsor"]
        with pytest.raises(BudgetGoneError):
            await given.order(ADA)
        given.clock.advance(timedelta(days=1))
        assert (await given.grant(await given.order(ADA))).budget_id == "operator"
        with pytest.raises(BudgetGoneError):
            await given.order(ADA)


async def test_a_budget_is_never_less_than_what_is_promised_of_it(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        await given.set_budget(50_000)
        await given.order(ADA, 2 * GB)
        with refused(BUDGET_INVALID):
            await given.set_budget(39_999)
        await given.set_budget(40_000)
        with refused(BUDGET_INVALID):
            await given.set_budget(40_000, kind=BudgetKind.VENUE)
        with refused(BUDGET_INVALID):
            await given.set_budget(-1, "other")
        with refused(UNKNOWN_BUDGET):
            await given.budget("other")
        # Whatever a defect might ask for, the database refuses too.
        with pytest.raises(IntegrityError, match="not_overdrawn"):
            await given.database.write(
                lambda connection: connection.execute(text("UPDATE free_budget SET spent_kobo = 1"))
            )


async def test_waiting_users_are_notified_in_turn_when_there_is_money_again(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(when_budget_gone=WhenBudgetGone.WAITING_LIST)) as given:
        await given.set_budget(0)
        for who in (BOLA, ADA, CHIDI):
            with pytest.raises(BudgetGoneError) as caught:
                await given.order(who)
            assert caught.value.facts["do"] == "join_waiting_list"
            await given.free_data.wait(who, free_offer(GB))
            given.clock.advance(timedelta(seconds=1))
        await given.free_data.wait(BOLA, free_offer(GB))  # keeps the place
        assert await _told(given) == []
        await given.set_budget(45_000)
        assert await _told(given) == [BOLA, ADA]
        assert await _told(given) == [BOLA, ADA]
        await given.order(BOLA)
        given.clock.advance(waiting.HEAD_START)  # Ada let hers pass: the next is notified
        assert await _told(given) == [BOLA, ADA, CHIDI]
        await given.order(CHIDI)
        assert await given.database.read(waiting.how_many) == 0


async def _told(given: Given) -> list[str]:
    def change(connection: Connection) -> list[str]:
        waiting.tell_some(connection, given.free_data.rules)
        query = select(domain_event.c.user_id).where(domain_event.c.kind == waiting.FREE_DATA_AGAIN)
        return list(connection.execute(query.order_by(domain_event.c.sequence)).scalars())

    return await given.database.write(change)


@pytest.mark.parametrize("gone", [WhenBudgetGone.REFUSE, WhenBudgetGone.WAITING_LIST])
async def test_nobody_waits_where_no_list_is_kept_or_it_is_not_the_money(
    tmp_path: Path, gone: WhenBudgetGone
) -> None:
    async with open_free_data(tmp_path, _rules(when_budget_gone=gone)) as given:
        with refused(NO_WAITING_LIST):
            await given.free_data.wait(ADA, free_offer(GB))


_steps = st.lists(
    st.tuples(
        st.sampled_from(["order", "use", "end", "grow"]),
        st.integers(0, 7),
        st.integers(1, 3 * GB),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@for_all(_steps)
async def test_reserved_and_spent_stay_within_the_budget_and_add_up_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    """Orders, use, late reports and ends in any order: the budget is the sum of its grants, never overdrawn."""
    async with open_free_data(tmp_path_factory.mktemp("steps"), _rules(cost=777)) as given:
        await given.set_budget(3_000, daily_kobo=5_000)
        sessions: list[tuple[str, int]] = []
        for what, place, octets in steps:
            if what == "order":
                try:
                    sessions.append((await given.order(ADA, octets), octets))
                except BudgetGoneError:
                    continue
            elif what == "grow":
                await given.set_budget((await given.budget()).total_kobo + place, daily_kobo=5_000)
            elif sessions:
                session_id, size = sessions[place % len(sessions)]
                used = max((await given.grant(session_id)).used_octets, min(octets, size))
                ended = what == "end"
                await given.use(session_id, used, open_octets=0, ended=ended)
            await _require_sums(given)


async def _require_sums(given: Given) -> None:
    budget = await given.budget()
    assert 0 <= budget.reserved_kobo + budget.spent_kobo <= budget.total_kobo
    t = free_grant.c

    def look(connection: Connection) -> tuple[Any, Any, int]:
        row = connection.execute(select(func.sum(t.reserved_kobo), func.sum(t.spent_kobo))).one()
        on_days = connection.scalar(select(func.sum(free_budget_day.c.committed_kobo)))
        in_all, _ = budgets.committed(connection, given.clock.now(), given.free_data.rules)
        return row, on_days, in_all

    row, on_days, in_all = await given.database.read(look)
    assert (row[0] or 0, row[1] or 0) == (budget.reserved_kobo, budget.spent_kobo)
    assert (on_days or 0) == in_all == budget.reserved_kobo + budget.spent_kobo


async def test_each_alert_level_is_reported_once_and_again_after_money_came(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        rules = given.free_data.rules
        await given.set_budget(40_000)
        assert await tell_alerts(given.database, rules) == 0
        await given.order(ADA)
        assert await tell_alerts(given.database, rules) == 1
        assert (await given.budget()).alert_percent == 50
        assert await tell_alerts(given.database, rules) == 0
        await given.set_budget(100_000)
        assert await tell_alerts(given.database, rules) == 0
        await given.set_budget(20_000)
        assert await tell_alerts(given.database, rules) == 1
        assert (await given.budget()).alert_percent == 100


async def test_marks_are_forgotten_when_no_limit_counts_them_any_more(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules()) as given:
        rules = given.free_data.rules
        over = await given.order(ADA, device_id="phone")
        await given.order(BOLA)  # lives on
        await given.use(over, 1, ended=True)
        given.clock.advance(timedelta(days=29))
        assert await forget_marks(given.database, rules) == 0
        given.clock.advance(timedelta(days=1))
        assert await forget_marks(given.database, rules) == 1
        assert await forget_marks(given.database, rules) == 0
        t = free_grant.c
        row = await given.database.read(
            lambda connection: connection.execute(select(free_grant).where(t.session_id == over)).one()
        )
        assert (row.account_mark, row.device_mark, row.used_octets) == (None, None, 1)

"""Holds, review and actions on many accounts, from free orders to the audit trail."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from kswifi.accounts.sql import user_account
from kswifi.desk.audit import actions, verify_trail
from kswifi.desk.errors import ACTION_UNDONE, HOLD_DECIDED, ROLE_MAY_NOT, UNKNOWN_CLUSTER
from kswifi.desk.fraud.actions import ActionKind, FraudAction, act, fraud_actions, undo
from kswifi.desk.fraud.model import Link, VelocityRule
from kswifi.desk.fraud.review import accounts_of, clusters, decide_hold, find_cluster, queue
from kswifi.desk.fraud.watch import FraudWatch
from kswifi.desk.roles import Operator, Role
from kswifi.esim.lines.service import esims_of
from kswifi.free_data.errors import AccountHeldError, FreeDataNotStartedError
from kswifi.free_data.holds import note_device
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules, Requirement
from kswifi.free_data.safeguards import NO_BUDGET, NO_CEILING, missing_safeguards
from kswifi.kernel.numbers import Eid
from tests.support.free_data import GB, Given, open_free_data, user
from tests.support.refusals import refused
from tests.support.session_roads import ADA, open_road

FOUNDER = Operator("ada", Role.FOUNDER)
SUPPORT = Operator("susi", Role.SUPPORT)
DAY = timedelta(days=1)
RULES = (VelocityRule(Link.DEVICE, 5, DAY), VelocityRule(Link.CARD, 4, 7 * DAY), VelocityRule(Link.SERIES, 10, DAY))
EID = Eid("89049032123451234512345678901235")


@pytest.fixture
async def given(tmp_path: Path) -> AsyncIterator[Given]:
    async with open_free_data(tmp_path, users=30) as made:
        yield made


async def held(given: Given) -> set[int]:
    accounts = tuple(user(number) for number in range(30))
    found = await given.database.read(lambda connection: accounts_of(connection, accounts))
    return {number for number, it in enumerate(found) if it.held}


async def test_the_fifth_account_of_a_device_in_a_day_is_one_too_many(given: Given) -> None:
    watch = FraudWatch(given.database, RULES)
    for number in range(4):
        await given.order(user(number), device_id="phone")
    assert await watch.look() == 0
    given.clock.advance(DAY)  # the first four are too long ago now
    for number in range(4, 8):
        await given.order(user(number), device_id="phone")
        given.clock.advance(timedelta(minutes=1))
    assert await watch.look() == 0
    await given.order(user(8), device_id="phone")
    assert await watch.look() == 5
    assert await held(given) == {4, 5, 6, 7, 8}
    assert await watch.look() == 0
    with pytest.raises(AccountHeldError) as caught:
        await given.order(user(8))
    assert caught.value.facts["do"] == "ask_support"
    assert [it.who for it in await given.database.read(actions)] == ["fraud rules"] * 5


async def test_sign_ups_of_one_device_are_held_without_an_order(given: Given) -> None:
    watch = FraudWatch(given.database, RULES)

    def sign_up(connection: Connection) -> None:
        for number in range(6):
            note_device(connection, user(number), "a-mark")

    await given.database.write(sign_up)
    assert await watch.look() == 6


async def test_a_card_and_a_number_series_are_watched_too(given: Given) -> None:
    watch = FraudWatch(given.database, RULES)
    for number in range(4):
        await given.order(user(number), eid=EID)
        given.clock.advance(DAY)
    assert await watch.look() == 4

    def number_them(connection: Connection) -> None:
        for number in range(10, 21):
            values = {"phone_number": f"+2348031234{number:03}", "email": None}
            connection.execute(update(user_account).where(user_account.c.user_id == user(number)).values(**values))

    await given.database.write(number_them)
    for number in range(10, 20):
        assert await watch.look() == 0
        await given.order(user(number))
    assert await watch.look() == 10
    assert 20 not in await held(given)  # has the next number, and ordered nothing


async def test_a_released_account_is_not_held_again_for_the_same_reason(given: Given) -> None:
    watch = FraudWatch(given.database, RULES)
    for number in range(5):
        await given.order(user(number), device_id="phone")
    await watch.look()
    waiting = await given.database.read(queue)
    assert [account.user_id for _, account in waiting] == [user(number) for number in range(5)]
    for (hold, _), release in zip(waiting, (True, False, True, False, False), strict=True):
        await given.database.write(
            lambda connection, hold=hold, release=release: decide_hold(  # type: ignore[misc]
                connection, SUPPORT, hold.hold_id, release=release, reason="a shared shop phone"
            )
        )
    assert await given.database.read(queue) == []
    with refused(HOLD_DECIDED):
        await given.database.write(
            lambda connection: decide_hold(connection, SUPPORT, waiting[0][0].hold_id, release=True, reason="again")
        )
    assert await held(given) == {1, 3, 4}
    await given.order(user(0), device_id="phone")
    assert await FraudWatch(given.database, RULES).look() == 0  # a server that started again
    assert await held(given) == {1, 3, 4}


async def do(given: Given, kind: ActionKind, key: str, operator: Operator = FOUNDER) -> FraudAction:
    def change(connection: Connection) -> FraudAction:
        return act(connection, operator, kind, find_cluster(connection, key).user_ids, "one device, 200 accounts")

    return await given.database.write(change)


async def test_a_cluster_is_held_at_once_and_that_is_undone(given: Given) -> None:
    for number in range(6):
        await given.order(user(number), device_id="phone")
    await given.order(user(9), device_id="other")
    await FraudWatch(given.database, RULES[:1]).look()
    waiting = await given.database.read(queue)
    await given.database.write(
        lambda connection: decide_hold(connection, SUPPORT, waiting[0][0].hold_id, release=True, reason="known")
    )
    (cluster,) = await given.database.read(clusters)
    assert (cluster.key, len(cluster.user_ids)) == (user(0), 6)
    with refused(UNKNOWN_CLUSTER):
        await do(given, ActionKind.HOLD, user(9))
    with refused(ROLE_MAY_NOT):
        await do(given, ActionKind.HOLD, cluster.key, SUPPORT)

    done = await do(given, ActionKind.HOLD, cluster.key)
    assert done.accounts == 6
    assert await held(given) == set(range(6))
    assert await given.database.read(queue) == []
    assert (await do(given, ActionKind.HOLD, cluster.key)).accounts == 0  # nothing is left to do
    later = (await given.database.read(lambda connection: accounts_of(connection, (user(5),))))[0].holds[0]
    given.clock.advance(timedelta(hours=1))
    await given.database.write(
        lambda connection: decide_hold(connection, SUPPORT, later.hold_id, release=True, reason="called us")
    )
    await given.database.write(lambda connection: undo(connection, FOUNDER, done.action_id, "a school's phone"))
    # What the rule had held waits again, what was released is released, and what support decided later stays.
    assert await held(given) == {1, 2, 3, 4}
    assert {account.user_id for _, account in await given.database.read(queue)} == {user(it) for it in (1, 2, 3, 4)}
    with refused(ACTION_UNDONE):
        await given.database.write(lambda connection: undo(connection, FOUNDER, done.action_id, "once more"))


async def test_a_release_of_many_is_undone(given: Given) -> None:
    for number in range(5):
        await given.order(user(number), device_id="phone")
    await FraudWatch(given.database, RULES).look()
    done = await do(given, ActionKind.RELEASE, user(0))
    assert (done.accounts, await held(given)) == (5, set())
    await given.database.write(lambda connection: undo(connection, FOUNDER, done.action_id, "too early"))
    assert await held(given) == set(range(5))
    (shown,) = await given.database.read(fraud_actions)
    assert shown.undone_by == "ada"
    found = await given.database.read(verify_trail)
    assert (found.rows, found.findings) == (5 + 6 + 6, ())


async def test_frozen_lines_are_thawed_by_the_undo_and_others_stay(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()

        async def frozen() -> list[bool]:
            await road.settle()
            return [it.frozen for it in await road.database.read(lambda connection: esims_of(connection, ADA))]

        done = await road.database.write(
            lambda connection: act(connection, FOUNDER, ActionKind.FREEZE, [ADA], "stolen cards")
        )
        assert (done.accounts, done.lines, await frozen()) == (1, 1, [True])
        again = await road.database.write(
            lambda connection: act(connection, FOUNDER, ActionKind.FREEZE, [ADA], "stolen cards")
        )
        assert (again.accounts, again.lines) == (0, 0)
        await road.database.write(lambda connection: undo(connection, FOUNDER, again.action_id, "not mine"))
        assert await frozen() == [True]
        await road.database.write(lambda connection: undo(connection, FOUNDER, done.action_id, "a mistake"))
        assert await frozen() == [False]
        assert session.user_id == ADA


GUARDED = FreeDataRules(
    guarded=True,
    required=Requirement.VOUCHER,
    device_allowance_octets=GB,
    card_allowance_octets=GB,
    cost_kobo_per_gb=20_000,
)


async def test_free_data_starts_only_with_all_safeguards(tmp_path: Path) -> None:
    rules = replace(GUARDED, required=Requirement.PHONE)
    async with open_free_data(tmp_path, rules) as given:
        for ceiling, missing in ((None, NO_BUDGET), (None, NO_CEILING)):
            with pytest.raises(FreeDataNotStartedError):
                await given.order(user(0))
            budgets = [] if missing is NO_BUDGET else [await given.budget()]
            assert missing_safeguards(rules, budgets) == (missing,)
            await given.set_budget(10**7, daily_kobo=ceiling)
        await given.set_budget(10**7, daily_kobo=10**6)
        with pytest.raises(Exception, match="verify your phone"):  # the next rule
            await given.order(user(0))
        await given.set_budget(10**7, "cafe", BudgetKind.VENUE)
        with pytest.raises(FreeDataNotStartedError):  # each budget needs a ceiling, or all together
            await given.order(user(0))


@pytest.mark.parametrize(
    ("without", "bundles_priced", "count"),
    [
        ({"required": Requirement.NOTHING}, False, 1),
        ({"device_allowance_octets": None}, False, 1),
        ({"card_allowance_octets": None}, False, 1),
        ({"cost_kobo_per_gb": 0}, False, 1),
        ({"cost_kobo_per_gb": 0}, True, 0),
        ({"monthly_kobo": 5}, False, 0),
        ({"guarded": False, "required": Requirement.NOTHING}, False, 0),
    ],
)
async def test_each_safeguard_is_asked_for(
    tmp_path: Path, without: dict[str, object], bundles_priced: bool, count: int
) -> None:
    async with open_free_data(tmp_path) as given:
        await given.set_budget(10**7, daily_kobo=None if "monthly_kobo" in without else 10**6)
        rules = replace(GUARDED, bundles_priced=bundles_priced, **without)  # type: ignore[arg-type]
        assert len(missing_safeguards(rules, [await given.budget()])) == count

"""Standing orders over the real ledger and cards: when a session is due, who orders it, and what stops it."""

from collections.abc import AsyncIterator, Awaitable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from kswifi.catalogue.service import Catalogue
from kswifi.esim.model import LineKind
from kswifi.esim.sql import esim
from kswifi.free_data import waiting
from kswifi.free_data.budgets import set_budget
from kswifi.free_data.errors import FreeDataStoppedError
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules, WhenBudgetGone
from kswifi.free_data.sql import free_budget
from kswifi.kernel.errors import KswifiError
from kswifi.ledger.commands import Freeze
from kswifi.people import standing_order_store as store
from kswifi.people.gifts import Wish
from kswifi.people.rules import StandingOrderRules
from kswifi.people.standing_order_model import (
    STANDING_ORDER_TRANSITIONS,
    Holding,
    LastResult,
    StandingOrder,
    StandingOrderEvent,
    StandingOrderState,
    is_needed,
    next_standing_order_state,
)
from kswifi.people.standing_order_watch import StandingOrderWatch
from kswifi.people.standing_orders import CarriedOutBy, StandingOrderService, StandingWish
from kswifi.sessions.model import InternetSession
from kswifi.sessions.sql import internet_session
from tests.support.databases import START
from tests.support.session_roads import ADA, BOLA, GB, Road, open_road

MB = 10**6
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BELOW_20 = StandingWish("free-1gb", 20, None)
PERSON, BACKGROUND = CarriedOutBy.PERSON, CarriedOutBy.BACKGROUND


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[Road]:
    async with open_road(tmp_path) as road:
        yield road


async def put(road: Road, wish: StandingWish = BELOW_20) -> StandingOrder:
    return await road.database.write(lambda connection: road.standing_orders.put(connection, ADA, wish))


async def now(road: Road) -> StandingOrder:
    found = await road.database.read(lambda connection: store.find_standing_order(connection, ADA))
    assert found is not None
    return found


async def looked(road: Road) -> StandingOrder:
    await road.settle()
    await road.standing_watch.look()
    return await now(road)


async def due(road: Road, left: int = 100 * MB) -> StandingOrder:
    """Return a standing order that is due, because a session is nearly used up."""
    session = await road.stored()
    await put(road)
    await road.use(session, GB - left)
    order = await looked(road)
    assert (order.due_number, order.due_since) == (1, road.clock.now())
    return order


async def carry_out(road: Road, number: int = 1, by: CarriedOutBy = PERSON) -> InternetSession:
    return await road.standing_orders.carry_out(ADA, number, by)


async def refused(code: str, doing: Awaitable[object]) -> KswifiError:
    with pytest.raises(KswifiError) as raised:
        await doing
    assert raised.value.code == code
    return raised.value


async def sessions(road: Road) -> int:
    return int(
        await road.database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(internet_session)) or 0
        )
    )


async def test_a_session_is_due_when_little_is_left_and_is_ordered_once(road: Road) -> None:
    session = await road.stored()
    await put(road)
    await road.use(session, 800 * MB)
    assert (await looked(road)).due_since is None  # exactly 20 % are left
    await road.use(session, MB, 1)
    order = await looked(road)
    assert (order.due_number, order.due_since) == (1, road.clock.now())
    assert (await looked(road)).due_number == 1
    counts = await road.database.read(store.count_standing_orders)
    assert (counts.by_state, counts.due) == ({"on": 1}, 1)
    assert await sessions(road) == 1  # nothing is reserved before a phone asks
    made = await carry_out(road, by=BACKGROUND)
    assert (await carry_out(road)).session_id == made.session_id
    assert (made.offer_id, made.esim_id) == ("free-1gb", session.esim_id)
    order = await now(road)
    assert (order.due_since, order.last_result, order.session_id) == (None, LastResult.ORDERED, made.session_id)
    road.clock.advance(2 * HOUR)
    assert ((await looked(road)).due_number, await sessions(road)) == (1, 2)  # one is ahead


async def test_a_session_is_due_some_days_before_the_end(road: Road) -> None:
    session = await road.stored()
    await put(road, StandingWish("free-1gb", None, 2))
    road.clock.advance(session.valid_until - road.clock.now() - 2 * DAY - HOUR)
    assert (await looked(road)).due_since is None
    road.clock.advance(HOUR)
    assert (await looked(road)).due_number == 1


async def test_three_ignored_due_dates_in_a_row_pause_it(road: Road) -> None:
    order = await due(road)
    for number in (1, 2, 3):
        road.clock.advance(DAY)
        order = await looked(road)
        assert (order.ignored, order.due_since, order.last_result) == (number, None, LastResult.IGNORED)
        if number < 3:
            await refused("standing_order_not_due", carry_out(road, number))
            assert (await looked(road)).due_number == number + 1
            for other in (number, number + 2):  # it is over, or was not declared
                await refused("standing_order_not_due", carry_out(road, other))
    assert order.state is StandingOrderState.PAUSED
    road.clock.advance(DAY)
    assert await looked(road) == order
    await refused("standing_order_not_due", carry_out(road, 3))
    resumed = await put(road)
    assert (resumed.state, resumed.ignored) == (StandingOrderState.ON, 0)
    assert (await looked(road)).due_number == 4
    await carry_out(road, 4)
    assert await sessions(road) == 2


async def test_a_due_date_that_was_carried_out_ends_the_row_of_ignored_ones(road: Road) -> None:
    await due(road)
    road.clock.advance(DAY)
    assert (await looked(road)).ignored == 1
    await looked(road)
    await carry_out(road, 2)
    assert (await now(road)).ignored == 0


async def test_another_session_ends_the_due_date(road: Road) -> None:
    await due(road)
    await road.downloads.order(ADA, "free-1gb")
    await refused("standing_order_not_due", carry_out(road))
    order = await looked(road)
    assert (order.due_since, order.last_result) == (None, LastResult.NOT_NEEDED)


async def test_it_is_not_due_without_an_esim_that_takes_more(road: Road) -> None:
    await put(road)
    assert ((await looked(road)).last_result, await looked(road)) == (LastResult.NO_ESIM, await now(road))
    session = await road.stored()
    await road.use(session, 900 * MB)
    await road.database.write(lambda connection: connection.execute(update(esim).values(wants_frozen=True)))
    await road.ledger.execute(Freeze("f", session.esim_id, True))
    assert (await looked(road)).due_since is None
    await road.database.write(lambda connection: connection.execute(update(esim).values(wants_frozen=False)))
    assert (await looked(road)).due_since is not None


async def test_changing_pausing_and_ending_it(road: Road) -> None:
    order = await due(road)
    assert await put(road) == order  # the same wish changes nothing
    paused = await put(road, StandingWish("free-1gb", 20, None, paused=True))
    assert (paused.state, paused.due_since) == (StandingOrderState.PAUSED, None)
    await refused("standing_order_not_due", carry_out(road))
    ended = await road.database.write(lambda connection: road.standing_orders.end(connection, ADA))
    assert ended.state is StandingOrderState.ENDED
    assert await road.database.write(lambda connection: road.standing_orders.end(connection, ADA)) == ended
    assert (await looked(road)).due_since is None
    again = await put(road)
    assert again.standing_order_id != order.standing_order_id
    assert (again.due_number, again.state) == (0, StandingOrderState.ON)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (StandingWish("unlimited", 20, None), "standing_order_not_offered"),
        (StandingWish("free-1gb", 51, None), "standing_order_not_offered"),
        (StandingWish("free-1gb", None, 8), "standing_order_not_offered"),
        (StandingWish("nothing", 20, None), "unknown_offer"),
    ],
)
async def test_what_cannot_be_ordered_ahead(road: Road, wish: StandingWish, code: str) -> None:
    await refused(code, put(road, wish))


async def test_a_switched_off_feature_orders_nothing(road: Road) -> None:
    await due(road)
    off = _service(road, StandingOrderRules(enabled=False))
    await refused("standing_orders_off", off.carry_out(ADA, 1, PERSON))
    await refused("standing_orders_off", road.database.write(lambda connection: off.put(connection, ADA, BELOW_20)))
    road.clock.advance(DAY)
    assert await StandingOrderWatch(road.database, road.downloads, off).look() == 0
    assert (await now(road)).ignored == 0


async def test_a_device_alone_orders_nothing_on_a_providers_line(road: Road) -> None:
    await due(road)
    road.orders.takes_more = lambda line: True  # type: ignore[method-assign]
    await road.database.write(lambda connection: connection.execute(update(esim).values(kind=LineKind.PROFILE)))
    await refused("standing_order_needs_tap", carry_out(road, by=BACKGROUND))
    assert await sessions(road) == 1
    await carry_out(road, by=PERSON)
    assert await sessions(road) == 2


async def test_nothing_is_due_beyond_the_allowance(tmp_path: Path) -> None:
    async with open_road(tmp_path, rules=FreeDataRules(allowance_octets=GB)) as road:
        session = await road.stored()
        await put(road)
        await road.use(session, GB)
        order = await looked(road)
        assert (order.due_number, order.last_result) == (0, "free_allowance_used_up")
        road.clock.advance(31 * DAY)
        assert (await looked(road)).due_number == 1


async def test_a_refusal_when_it_is_carried_out_is_kept_and_calls_a_day_later(road: Road) -> None:
    await due(road)
    device = "the one device"
    road.free_data.rules = FreeDataRules(device_allowance_octets=GB // 2)
    await refused("device_allowance_used_up", road.standing_orders.carry_out(ADA, 1, PERSON, device))
    order = await looked(road)
    assert (order.due_since, order.last_result, order.ignored) == (None, "device_allowance_used_up", 0)
    road.clock.advance(DAY - HOUR)
    assert (await looked(road)).due_since is None
    road.clock.advance(HOUR)
    assert (await looked(road)).due_number == 2
    assert await sessions(road) == 1


MONEY = FreeDataRules(cost_kobo_per_gb=20_000, when_budget_gone=WhenBudgetGone.WAITING_LIST)


async def test_without_money_the_owner_waits_as_for_an_ordinary_order(tmp_path: Path) -> None:
    async with open_road(tmp_path, rules=MONEY) as road:
        await _budget(road, 20_000)
        session = await road.stored()
        await put(road)
        await road.use(session, 900 * MB)
        order = await looked(road)
        assert (order.state, order.due_since) == (StandingOrderState.WAITING, None)
        assert await _waits(road)
        assert await looked(road) == order
        await _budget(road, 60_000)
        assert await road.database.write(lambda connection: waiting.tell_some(connection, MONEY)) == 1
        assert (await looked(road)).state is StandingOrderState.ON
        assert (await looked(road)).due_number == 1
        await carry_out(road)
        assert not await _waits(road)


async def test_money_that_goes_before_the_phone_asks_makes_it_wait(tmp_path: Path) -> None:
    async with open_road(tmp_path, rules=MONEY) as road:
        await _budget(road, 60_000)
        await due(road)
        left = free_budget.c.total_kobo - free_budget.c.spent_kobo
        await road.database.write(
            lambda connection: connection.execute(update(free_budget).values(reserved_kobo=left))
        )
        error = await refused("free_budget_gone", carry_out(road))
        assert error.facts["do"] == "join_waiting_list"
        order = await now(road)
        assert (order.state, order.due_since, order.last_result) == (
            StandingOrderState.WAITING,
            None,
            "free_budget_gone",
        )
        assert await _waits(road)
        assert await sessions(road) == 1


async def test_an_offer_that_is_gone_ends_it(road: Road) -> None:
    await due(road)
    offers = Catalogue(it for it in Catalogue.load().offers() if it.id != "free-1gb")
    service = StandingOrderService(road.database, offers, road.downloads, road.free_data, StandingOrderRules())
    road.clock.advance(DAY)
    await StandingOrderWatch(road.database, road.downloads, service).look()
    order = await now(road)
    assert (order.state, order.last_result) == (StandingOrderState.ENDED, LastResult.OFFER_GONE)


async def test_a_need_that_comes_and_goes_calls_once_an_hour(road: Road) -> None:
    await due(road)
    other = await road.downloads.order(ADA, "free-1gb")
    await looked(road)
    await road.downloads.cancel(ADA, other.session_id)
    assert (await looked(road)).due_number == 1
    road.clock.advance(HOUR)
    assert (await looked(road)).due_number == 2


async def test_the_watch_goes_through_all_of_them_in_batches(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "AT_ONCE", 1)
    await due(road)
    road.clock.advance(DAY)
    # The batch before was full, so an empty one follows; then it begins again.
    assert [await road.standing_watch.look() for _ in range(3)] == [0, 1, 0]
    assert (await now(road)).ignored == 1
    assert (await looked(road)).due_number == 2


def _order(percent: int | None = 20, days: int | None = None) -> StandingOrder:
    values = dict.fromkeys(("standing_order_id", "user_id", "offer_id"), "x")
    return StandingOrder(
        **values,
        below_percent=percent,
        days_before_end=days,
        state=StandingOrderState.ON,
        last_result=None,
        due_number=0,
        due_since=None,
        ignored=0,
        call_after=START,
        session_id=None,
        created_at=START,
        changed_at=START,
    )


def _holding(left: int | None, until: datetime = START + 30 * DAY, allowance: int | None = GB) -> Holding:
    return Holding(allowance, left, until)


@pytest.mark.parametrize(
    ("order", "holdings", "needed"),
    [
        (_order(), [], True),
        (_order(), [_holding(200 * MB)], False),
        (_order(), [_holding(200 * MB - 1)], True),
        (_order(), [_holding(0), _holding(0)], False),
        (_order(), [_holding(None, allowance=None)], False),
        (_order(None, 2), [_holding(0)], False),
        (_order(None, 2), [_holding(GB, START + 2 * DAY)], True),
        (_order(None, 2), [_holding(GB, START - DAY)], True),
        (_order(None, 2), [_holding(None, START, None)], False),
        (_order(None, 2), [_holding(GB, START), _holding(GB)], False),
    ],
)
def test_when_a_session_is_needed(order: StandingOrder, holdings: list[Holding], needed: bool) -> None:
    assert is_needed(order, holdings, START) is needed


def test_an_ended_one_takes_no_event() -> None:
    for event in StandingOrderEvent:
        with pytest.raises(KswifiError, match="ended"):
            next_standing_order_state(StandingOrderState.ENDED, event)
    assert len(STANDING_ORDER_TRANSITIONS) == 9


async def test_octets_on_their_way_to_a_card_count_as_whole(road: Road) -> None:
    session = await road.stored()
    wish = Wish(session.session_id, 400 * MB)
    gift = await road.database.write(lambda connection: road.gifts.offer(connection, ADA, wish))
    await road.settle()
    code = str(gift.code)
    claimed = await road.database.write(
        lambda connection: road.gifts.claim(connection, BOLA, code, esim_id=None, device_id=None)
    )
    await road.settle()
    session = await road.downloads.session(BOLA, str(claimed.to_session_id))
    assert (await road.usage(session)).balance.available == 0
    found = await road.database.read(lambda connection: store.holdings_on(connection, [session.esim_id]))
    assert [(it.left_octets, it.allowance_octets) for it in found[session.esim_id]] == [(400 * MB, 400 * MB)]


async def test_a_due_date_ends_when_the_order_would_be_refused(road: Road) -> None:
    await due(road)
    road.free_data.rules = FreeDataRules(allowance_octets=GB)
    order = await looked(road)
    assert (order.due_since, order.last_result) == (None, "free_allowance_used_up")


async def test_what_changed_after_the_look_is_not_declared_due(road: Road) -> None:
    before = await due(road)
    await road.downloads.order(ADA, "free-1gb")
    assert (await looked(road)).due_since is None
    await road.database.write(
        lambda connection: connection.execute(update(internet_session).values(state="failed"))
    )
    # Another step of the server has put the next call off since this one was read.
    await road.database.write(lambda connection: road.standing_watch._decide(connection, before))
    assert (await now(road)).due_number == 1


async def test_a_refused_order_leaves_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    await due(road)
    order_step = road.downloads.order_step

    def late_refusal(*args: Any) -> InternetSession:
        order_step(*args)
        raise FreeDataStoppedError("stopped")

    monkeypatch.setattr(road.downloads, "order_step", late_refusal)
    await refused("free_data_stopped", carry_out(road))
    assert ((await now(road)).last_result, await sessions(road)) == ("free_data_stopped", 1)


def _service(road: Road, rules: StandingOrderRules) -> StandingOrderService:
    return StandingOrderService(road.database, Catalogue.load(), road.downloads, road.free_data, rules)


async def _budget(road: Road, kobo: int) -> None:
    await road.database.write(lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, kobo))


async def _waits(road: Road) -> bool:
    def look(connection: Connection) -> bool:
        return waiting.waits(connection, ADA)

    return await road.database.read(look)

"""Sessions through each provider's API over HTTP: bought once, counted late, cut off with the provider's word."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete

from kswifi.books.model import Account
from kswifi.catalogue.model import LAGOS
from kswifi.charging_records.projector import ChargingRecords
from kswifi.desk.lines import set_line_frozen
from kswifi.desk.roles import Operator, Role
from kswifi.esim.model import ProfileState
from kswifi.esim.ports import StorageProof
from kswifi.kernel.pages import FIRST_PAGE
from kswifi.lab.rehearsal.providers.faults import Call, Fault, Wrong
from kswifi.ledger.state import AccountStatus
from kswifi.people.errors import NOT_GIVABLE
from kswifi.people.gifts import GiftService, Wish
from kswifi.people.rules import GiftRules
from kswifi.people.use import MyUse
from kswifi.people.use_model import CountedBy
from kswifi.sessions.errors import LINE_IN_USE, PAUSE_NOT_OFFERED
from kswifi.sessions.model import SessionState
from kswifi.sessions.orders import cancel_session
from kswifi.supply import store
from kswifi.supply.errors import BUNDLE_NOT_MAPPED, NO_PORTION_LEFT, NUMBER_NOT_VERIFIED, PORTION_PENDING
from kswifi.supply.orders import OrderState
from kswifi.supply.ports import ServiceStatus
from kswifi.supply.sql import supply_offer
from tests.support.refusals import refused
from tests.support.supply_roads import ADA, open_supply_road

GB = 10**9
ESIM_PROVIDERS = ("esim_go", "esim_access")


@pytest.mark.parametrize("name", ESIM_PROVIDERS)
async def test_a_profile_is_bought_at_the_transfer_and_not_before(tmp_path: Path, name: str) -> None:
    async with open_supply_road(tmp_path, name) as road:
        session = await road.downloaded()
        assert road.bought == 0
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.settle(20)
        assert road.bought == 1
        line = await road.line(session)
        assert line.installation is not None
        assert line.installation.activation_code.startswith("LPA:1$")
        assert (await road.esim(session)).profile_state is ProfileState.RELEASED


@pytest.mark.parametrize("name", ESIM_PROVIDERS)
async def test_usage_is_counted_late_and_the_cut_off_is_confirmed(tmp_path: Path, name: str) -> None:
    async with open_supply_road(tmp_path, name, lag_seconds=60) as road:
        session = await road.transferred()
        await road.settle(20)
        (order,) = await road.orders(session)
        engine, line = road.running.engine, road.lab_line()
        engine.install(line)
        await road.settle(1_800, rounds=12)
        assert (await road.now(session)).state is SessionState.STORED
        assert (await road.now(session)).storage_proof is StorageProof.PROVIDER_STATUS
        engine.use(line, GB // 2)
        await road.settle(3)
        assert (await road.now(session)).state is SessionState.STORED  # the counter is late
        await road.settle(1_200)
        assert (await road.now(session)).state is SessionState.ACTIVE
        assert (await road.usage(session)).balance.used == GB // 2
        engine.use(line, order.bundle_octets)
        await road.settle(60 + 90, rounds=15)  # the lag and 90 seconds, without webhooks
        assert (await road.now(session)).state is SessionState.EXHAUSTED
        balance = (await road.usage(session)).balance
        assert balance.used == GB
        assert balance.overrun == order.bundle_octets - GB
        service = (await road.line(session)).service
        assert not service.wants_on
        assert service.observed in (ServiceStatus.DEPLETED, ServiceStatus.OFF)
        assert service.is_confirmed
        assert not line.suspended  # the bundle ended by itself: nothing is suspended for that
        assert (await road.orders(session))[0].state is OrderState.DEPLETED
        assert sum((await road.books()).values()) == 0
        assert (await road.books())[Account.COST_OF_DATA] > 0


@pytest.mark.parametrize("name", ESIM_PROVIDERS)
async def test_a_bundle_that_is_used_up_before_the_first_look_is_counted(tmp_path: Path, name: str) -> None:
    async with open_supply_road(tmp_path, name, lag_seconds=1) as road:
        session = await road.downloaded()
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.jobs.run_until_idle()
        await road.worker.round()  # the paid call alone
        assert road.bought == 1
        engine, line = road.running.engine, road.lab_line()
        engine.install(line)
        engine.use(line, 2 * GB)
        await road.settle(120)
        assert (await road.now(session)).state is SessionState.EXHAUSTED
        assert (await road.usage(session)).balance.used == GB
        assert (await road.line(session)).service.is_confirmed
        assert not (await road.line(session)).service.wants_on


@pytest.mark.parametrize("wrong", [Wrong.NO_ANSWER, Wrong.BROKEN_AFTER, Wrong.CUT, Wrong.UNREADABLE])
@pytest.mark.parametrize("name", ESIM_PROVIDERS)
async def test_a_lost_answer_never_buys_twice(tmp_path: Path, name: str, wrong: Wrong) -> None:
    async with open_supply_road(tmp_path, name) as road:
        road.running.faults.tell(Fault(wrong, Call.ORDER))
        session = await road.transferred()
        await road.settle(1_800, rounds=12)
        (order,) = await road.orders(session)
        assert order.state is OrderState.ALLOCATED
        assert road.bought == 1


@pytest.mark.parametrize("name", ESIM_PROVIDERS)
async def test_an_order_that_never_arrived_is_bought_once_or_given_up(tmp_path: Path, name: str) -> None:
    async with open_supply_road(tmp_path, name) as road:
        road.running.faults.tell(Fault(Wrong.NEVER_ARRIVED, Call.ORDER))
        session = await road.transferred()
        await road.settle(3_600, rounds=20)
        (order,) = await road.orders(session)
        if road.provider.capabilities.idempotent:
            assert (order.state, road.bought) == (OrderState.ALLOCATED, 1)
        else:
            assert (order.state, road.bought) == (OrderState.REFUSED, 0)
            assert (await road.now(session)).state is SessionState.DOWNLOADED  # to be tried again
            assert (await road.books()) == {}


async def test_a_worker_that_dies_during_the_call_does_not_buy_again(tmp_path: Path) -> None:
    """The state unknown is committed before the call: a restart looks the order up."""
    async with open_supply_road(tmp_path, "esim_go") as road:
        session = await road.downloaded()
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.jobs.run_until_idle()
        (order,) = await road.orders(session)
        buying = road.worker._buying
        read = await road.database.write(lambda c: buying._begin(c, order.reference))
        assert read is not None
        await road.provider.order(read.order.intent(None))  # carried out, and the worker dies here
        assert (await road.orders(session))[0].state is OrderState.UNKNOWN
        await road.settle(600, rounds=10)
        assert road.bought == 1
        assert (await road.orders(session))[0].state is OrderState.ALLOCATED


async def test_a_refused_purchase_costs_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        road.running.engine.book.balance_minor = 1
        session = await road.transferred()
        await road.settle(20)
        failed = await road.now(session)
        assert failed.state is SessionState.DOWNLOADED
        assert failed.state_reason
        assert (await road.books()) == {}
        road.running.engine.book.balance_minor = 100_000
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.settle(20)
        assert [it.state for it in await road.orders(session)] == [OrderState.REFUSED, OrderState.ALLOCATED]


async def test_a_pause_is_a_suspension_until_the_provider_confirms(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        session = await road.transferred()
        road.running.engine.install(road.lab_line())
        await road.settle(600)
        road.running.faults.tell(Fault(Wrong.BROKEN, Call.SWITCH, times=3))
        await road.downloads.deactivate_session(session.esim_id)
        await road.settle(1)
        assert not (await road.line(session)).service.is_confirmed
        await road.settle(120, rounds=20)
        assert road.lab_line().suspended
        assert (await road.line(session)).service.observed is ServiceStatus.OFF
        await road.downloads.activate_session_on_esim(session.esim_id)
        await road.settle(60)
        assert not road.lab_line().suspended
        assert (await road.line(session)).service.is_confirmed


async def test_a_line_frozen_by_the_desk_is_switched_off_at_once_and_on_again_when_it_is_thawed(
    tmp_path: Path,
) -> None:
    operator = Operator("ngozi", Role.SUPPORT)
    async with open_supply_road(tmp_path, "esim_go") as road:
        session = await road.transferred()
        road.running.engine.install(road.lab_line())
        await road.settle(600)
        assert not road.lab_line().suspended
        for frozen in (True, False):
            freeze = partial(
                set_line_frozen, operator=operator, esim_id=session.esim_id, reason="lost phone", frozen=frozen
            )
            await road.database.write(freeze)
            await road.settle(2)  # no counter is looked at within two seconds
            assert (await road.esim(session)).frozen is frozen
            assert road.lab_line().suspended is frozen
            service = (await road.line(session)).service
            assert service.is_confirmed
            assert service.wants_on is not frozen


async def test_an_expired_session_is_switched_off_for_as_long_as_it_takes(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        session = await road.transferred()
        road.running.engine.install(road.lab_line())
        await road.settle(600)
        road.running.faults.tell(Fault(Wrong.BROKEN, Call.SWITCH, times=30))
        road.clock.advance(session.valid_until - road.clock.now() + timedelta(seconds=1))
        await road.settle(3_600, rounds=10)
        assert (await road.now(session)).state is SessionState.EXPIRED
        assert not (await road.line(session)).service.is_confirmed
        await road.settle(40 * 900, rounds=40)
        assert road.lab_line().suspended
        assert (await road.line(session)).service.is_confirmed


async def test_a_counter_that_falls_takes_nothing_back(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go", lag_seconds=1) as road:
        session = await road.transferred()
        engine, line = road.running.engine, road.lab_line()
        engine.install(line)
        await road.settle(60)
        engine.use(line, GB // 2)
        await road.settle(600)
        engine.rules.counter_back_octets = GB // 4
        await road.settle(20_000)
        assert (await road.usage(session)).balance.used == GB // 2


async def test_the_next_session_on_a_line_waits_until_the_first_is_used_up(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go", lag_seconds=1) as road:
        first = await road.transferred()
        engine, line = road.running.engine, road.lab_line()
        engine.install(line)
        await road.settle(60)
        second = await road.downloaded()
        assert second.esim_id == first.esim_id
        with refused(LINE_IN_USE):
            await road.downloads.transfer_to_esim(second.session_id, second.esim_id)
        engine.use(line, GB)
        await road.settle(600)
        assert (await road.now(first)).state is SessionState.EXHAUSTED
        await road.downloads.transfer_to_esim(second.session_id, second.esim_id)
        await road.settle(600)
        assert road.bought == 2
        assert (await road.line(second)).service.wants_on
        engine.use(line, GB // 4)
        await road.settle(600)
        assert (await road.now(second)).state is SessionState.ACTIVE
        assert (await road.usage(second)).balance.used == GB // 4
        assert (await road.usage(first)).balance.overrun == 0


async def test_portions_are_booked_when_they_are_bought(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.keep_number()
        session = await road.transferred("free-3gb")
        assert session.state is SessionState.TRANSFERRING
        assert road.bought == 0
        for number in range(3):
            await road.draw(session)
            with refused(PORTION_PENDING):
                await road.draw(session)
            await road.settle(60)
            balance = (await road.usage(session)).balance
            assert balance.used == (number + 1) * GB
        await ChargingRecords(road.database, road.ledger).catch_up()
        my_use = MyUse(road.database, LAGOS, 400)
        [used] = (await my_use.sessions(ADA, FIRST_PAGE)).items
        assert (used.counted_by, used.octets) == (CountedBy.YOUR_NETWORK, 3 * GB)
        assert [it.covers_octets for it in used.portions] == [GB] * 3
        assert (await my_use.summary(ADA)).today.portion_octets == 3 * GB
        assert (await my_use.summary(ADA)).pace_octets is None
        assert (await road.now(session)).state is SessionState.EXHAUSTED
        assert (await road.now(session)).storage_proof is StorageProof.PURCHASE
        assert road.ledger.state.accounts[session.session_id].status is AccountStatus.EXHAUSTED
        assert road.bought == 3
        # VTpass takes 350 naira less its commission of 3 per cent for each.
        assert (await road.books()) == {Account.COST_OF_DATA: 101_850, Account.PREPAID_AT_PROVIDER: -101_850}


async def test_a_number_is_refused_for_now_while_no_catalogue_was_read(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.database.write(lambda connection: connection.execute(delete(supply_offer)))
        with refused(BUNDLE_NOT_MAPPED):
            await road.keep_number()


async def test_no_more_is_drawn_than_the_session_has(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.keep_number()
        session = await road.transferred()
        await road.draw(session)
        await road.settle(60)
        ended = await road.now(session)
        assert ended.state is SessionState.EXHAUSTED
        with refused(NO_PORTION_LEFT):
            await road.database.write(
                lambda c: road.lines.intend(
                    c,
                    session_id=session.session_id,
                    line_id=session.esim_id,
                    offer_id=session.offer_id,
                    allowance_octets=GB,
                )
            )


async def test_a_pending_portion_that_is_reversed_costs_nothing_and_is_not_used(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.keep_number()
        session = await road.transferred("free-3gb")
        road.running.engine.rules = replace(
            road.running.engine.rules, settles_after=timedelta(minutes=30), fails_next=True
        )
        await road.draw(session)
        await road.settle(60)
        assert (await road.orders(session))[0].state is OrderState.PLACED
        assert (await road.usage(session)).balance.used == 0
        await road.settle(7_200, rounds=20)
        assert (await road.orders(session))[0].state in (OrderState.REFUSED, OrderState.REFUNDED)
        assert (await road.usage(session)).balance.used == 0
        assert (await road.books()) == {}


async def test_an_old_verification_is_asked_for_again_before_money_moves(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.keep_number()
        session = await road.transferred("free-3gb")
        road.clock.advance(timedelta(days=29, hours=23))
        await road.draw(session)
        road.clock.advance(timedelta(days=2))
        with refused(NUMBER_NOT_VERIFIED):
            await road.database.write(
                lambda c: road.lines.intend(
                    c,
                    session_id="00000000-0000-4000-8000-000000000001",
                    line_id=session.esim_id,
                    offer_id=session.offer_id,
                    allowance_octets=GB,
                )
            )


async def test_a_line_of_a_persons_own_cannot_be_paused(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.keep_number()
        session = await road.transferred("free-3gb")
        await road.draw(session)
        await road.settle(60)
        with refused(PAUSE_NOT_OFFERED):
            await road.downloads.deactivate_session(session.esim_id)


async def test_the_number_is_stored_encrypted(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        line = await road.keep_number()
        sealed = (tmp_path / "control.db").read_bytes()
        assert b"8031234567" not in sealed
        found = await road.database.read(lambda c: road.lines.line(c, line.esim_id))
        assert found.msisdn == "+2348031234567"
        assert "8031234567" not in repr(found)


async def test_an_order_that_was_not_sent_is_withdrawn_with_its_session(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        session = await road.downloaded()
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.jobs.run_until_idle()
        await road.database.write(lambda c: cancel_session(c, ADA, session.session_id))
        await road.settle(600)
        assert road.bought == 0
        assert (await road.orders(session))[0].state is OrderState.CANCELLED


async def test_a_webhook_only_brings_the_look_forward(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go", lag_seconds=900) as road:
        session = await road.transferred()
        await road.settle(30)
        engine, line = road.running.engine, road.lab_line()
        engine.install(line)
        await road.settle(30)
        engine.use(line, GB // 2)
        road.clock.advance(timedelta(seconds=901))
        road.running.engine.rules.lag = timedelta(seconds=1)
        before = await road.database.read(lambda c: store.counters_of(c, session.esim_id))
        await road.database.write(
            lambda c: store.postpone_counters(c, [session.esim_id], road.clock.now() + timedelta(hours=9))
        )
        await road.settle(2)
        assert await road.database.read(lambda c: store.counters_of(c, session.esim_id)) == before
        iccid = (await road.line(session)).iccid
        found = await road.database.write(lambda c: store.look_now(c, "esim_go", line_ref=iccid))
        assert found > 0
        await road.settle(2)
        assert (await road.usage(session)).balance.used == GB // 2


async def test_octets_of_a_bundle_cannot_be_given_away(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "esim_go") as road:
        session = await road.transferred()
        road.running.engine.install(road.lab_line())
        await road.settle(600)
        gifts = GiftService(road.downloads, road.free_data, GiftRules(giver_verified=False, giver_age=timedelta()))
        wish = Wish(session.session_id, GB // 4)
        with refused(NOT_GIVABLE):
            await road.database.write(lambda c: gifts.offer(c, ADA, wish))

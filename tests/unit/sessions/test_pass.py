"""Sessions under a pass: any number, ending with it, in addition to the free allowance; and its refund."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from kswifi.accounts.kyc import set_kyc_level
from kswifi.books.service import balances
from kswifi.free_data.errors import AllowanceExceededError, KycLevelTooLowError
from kswifi.free_data.rules import FreeDataRules
from kswifi.jobs.worker import Worker
from kswifi.ledger.commands import OutcomeCode
from kswifi.payments.errors import PaymentsNotSetUpError
from kswifi.payments.jobs import ask_to_withdraw
from kswifi.payments.model import PassState, Payment, PaymentEvent, PaymentState
from kswifi.payments.passes import pass_of
from kswifi.payments.rules import PassRules
from kswifi.payments.store import find_payment, move_payment, period_of, set_period_state
from kswifi.sessions.errors import FAIR_USE_REACHED, PAYMENT_REQUIRED, TOO_MANY_PASS_SESSIONS
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.pass_refund import PassEnds
from tests.support.databases import START
from tests.support.refusals import refused
from tests.support.session_roads import ADA, BOLA, GB, Road, open_road

END = "2026-11-30T23:00:00+00:00"


async def order(road: Road, offer_id: str, user_id: str = ADA) -> InternetSession:
    session = await road.downloads.order(user_id, offer_id)
    await road.settle()
    return await road.now(session)


async def held(road: Road) -> bool:
    return await road.database.read(lambda connection: pass_of(connection, ADA, road.clock.now()) is not None)


async def look(road: Road, payment: Payment) -> Payment:
    return await road.database.read(lambda connection: find_payment(connection, payment.reference))


async def test_without_a_pass_the_offer_says_how_to_get_one(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        with refused(PAYMENT_REQUIRED, match="POST /api/v1/payments") as caught:
            await road.downloads.order(ADA, "unlimited")
        assert caught.value.facts == {"offer_id": "unlimited", "price_kobo": 80_000}
        await road.pay(BOLA)
        with refused(PAYMENT_REQUIRED):
            await road.downloads.order(ADA, "unlimited")


async def test_who_is_not_identified_orders_nothing_under_a_pass_either(tmp_path: Path) -> None:
    async with open_road(tmp_path, FreeDataRules(kyc_level=2), passes=PassRules()) as road:
        await road.pay()
        for offer_id in ("unlimited", "free-1gb"):
            with pytest.raises(KycLevelTooLowError):
                await road.downloads.order(ADA, offer_id)
        await road.database.write(lambda connection: set_kyc_level(connection, ADA, 2))
        assert (await order(road, "unlimited")).state is SessionState.PACKAGED


async def test_many_sessions_an_uncapped_one_among_them_and_none_counts_as_free(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        free = await order(road, "free-1gb")
        await road.pay()
        sessions = [await order(road, it) for it in ("unlimited", "free-5gb", "free-5gb", "free-3gb", "unlimited")]
        assert [it.allowance_octets for it in sessions] == [None, 5 * GB, 5 * GB, 3 * GB, None]
        assert {it.state for it in sessions} == {SessionState.PACKAGED}
        assert {it.valid_until.isoformat() for it in sessions} == {END}
        assert not any(it.free for it in sessions)
        assert free.free
        assert await road.database.read(partial(road.free_data.left_octets, user_id=ADA)) == 4 * GB
        road.clock.advance(timedelta(days=7, hours=14))  # the last instant of the pass is over
        await road.settle()
        assert {(await road.now(it)).state for it in sessions} == {SessionState.EXPIRED}
        assert (await road.now(free)).state is SessionState.PACKAGED
        with refused(PAYMENT_REQUIRED):
            await road.downloads.order(ADA, "unlimited")
        with pytest.raises(AllowanceExceededError):
            await road.downloads.order(ADA, "free-5gb")


async def test_an_uncapped_session_is_spent_without_an_end_and_ends_with_the_pass(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        await road.pay()
        session = await order(road, "unlimited")
        session, _ = await road.downloads.package(ADA, session.session_id)
        await road.downloads.confirm_download(ADA, session.session_id, session.package_sha256 or "")
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.settle()
        await road.prove(session)
        await road.settle()
        for number in range(1, 4):
            assert (await road.use(session, 700_000_000, number)).code is OutcomeCode.DONE
        balance = (await road.downloads.overview(ADA, session.session_id)).usage.balance
        assert (balance.used, balance.credited, balance.overrun) == (2_100_000_000, 2_100_000_000, 0)
        assert (await road.now(session)).state is SessionState.ACTIVE
        road.clock.advance(timedelta(days=8))
        await road.settle()
        assert (await road.now(session)).state is SessionState.EXPIRED
        assert (await road.reserve(session, 1_000, 9)).code is not OutcomeCode.DONE


async def test_a_session_keeps_its_end_and_after_an_extension_the_next_ends_later(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        await road.pay()
        before = await order(road, "unlimited")
        await road.pay()
        after = await order(road, "unlimited")
        assert before.valid_until.isoformat() == END
        assert after.valid_until - before.valid_until == timedelta(days=7)
        assert (await road.now(before)).valid_until == before.valid_until
        road.clock.advance(timedelta(days=8))
        assert await held(road)
        later = await order(road, "unlimited")
        assert later.valid_until == after.valid_until
        assert later.pass_period_id != before.pass_period_id


async def test_the_fair_use_limit_is_cut_to_the_octet(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules(fair_use_octets=6 * GB)) as road:
        await road.pay(limit_octets=6 * GB)
        first, second = await order(road, "free-5gb"), await order(road, "unlimited")
        assert (first.allowance_octets, second.allowance_octets) == (5 * GB, GB)
        with refused(FAIR_USE_REACHED) as caught:
            await order(road, "free-1gb")
        assert caught.value.facts == {"limit_octets": 6 * GB}
        await road.downloads.cancel(ADA, first.session_id)  # what was not used comes back under the limit
        await road.settle()
        assert (await order(road, "unlimited")).allowance_octets == 5 * GB


async def test_unfinished_sessions_under_a_pass_are_bounded(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules(sessions_at_once=2)) as road:
        await road.pay()
        first = await order(road, "unlimited")
        await order(road, "unlimited")
        with refused(TOO_MANY_PASS_SESSIONS):
            await order(road, "unlimited")
        await road.downloads.cancel(ADA, first.session_id)
        await road.settle()
        await order(road, "unlimited")


async def test_given_back_while_nothing_was_used_its_sessions_end_first(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        free = await road.stored()
        payment = await road.pay()
        packaged = await order(road, "free-3gb")
        payment = await road.ask_refund(payment)
        assert payment.state is PaymentState.REFUNDING
        assert not await held(road)
        assert (await road.now(packaged)).state is SessionState.REVOKED
        assert (await road.now(free)).state is SessionState.STORED
        standing = await road.database.read(
            lambda connection: {str(account): kobo for account, kobo in balances(connection).items() if kobo}
        )
        assert standing == {"cash_at_gateway": 80_000, "refunds_owed": -80_000}
        with refused(PAYMENT_REQUIRED):
            await order(road, "unlimited")


async def test_given_back_while_a_session_is_being_made_nothing_of_it_can_be_spent(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        payment = await road.pay()
        ordered = await road.downloads.order(ADA, "free-3gb")
        ends = PassEnds(road.database, road.ledger, road.ledger.state.balances)

        def change(connection: Connection) -> None:  # asked before any worker comes to the order
            period = period_of(connection, payment.reference)
            assert period is not None
            set_period_state(connection, period, PassState.SUSPENDED)
            move_payment(connection, payment, PaymentEvent.REFUND_ASKED)
            ask_to_withdraw(connection, payment.reference)

        await road.database.write(change)
        await Worker(road.database, ends.handlers()).run_until_idle()
        assert (await look(road, payment)).state is PaymentState.REFUNDING
        await road.settle()
        assert (await road.now(ordered)).state is SessionState.REVOKED
        balance = road.ledger.state.balances(ordered.session_id)
        assert balance is None or balance.available == 0
        assert (await road.reserve(ordered, 1_000)).code is not OutcomeCode.DONE


@pytest.mark.parametrize("how", ["used", "reserved"])
async def test_a_pass_that_was_used_is_not_given_back_and_goes_on(tmp_path: Path, how: str) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        payment = await road.pay()
        session = await road.stored()
        assert session.pass_period_id is not None
        if how == "used":
            await road.use(session, 1)
        else:
            await road.reserve(session, 1_000)
        payment = await road.ask_refund(payment)
        assert (payment.state, payment.reason) == (PaymentState.SETTLED, "something of it has been used")
        assert await held(road)
        assert (await road.now(session)).state in (SessionState.ACTIVE, SessionState.STORED)
        assert (await order(road, "unlimited")).allowance_octets is None


async def test_usage_that_comes_while_it_is_given_back_keeps_the_money(tmp_path: Path) -> None:
    """The ledger is asked again after its sessions have ended: what came in between counts."""
    async with open_road(tmp_path, passes=PassRules()) as road:
        payment = await road.pay()
        session = await road.stored()
        real = road.ledger.execute

        async def racing(command: object) -> object:
            if type(command).__name__ == "Revoke":
                await road.reserve(session, 1_000)
            return await real(command)  # type: ignore[arg-type]

        road.ledger.execute = racing  # type: ignore[method-assign, assignment]
        payment = await road.ask_refund(payment)
        assert payment.state is PaymentState.SETTLED
        assert await held(road)
        assert (await road.now(session)).state is SessionState.REVOKED


async def test_the_last_of_two_is_given_back_alone(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        first = await road.pay()
        within_the_first = await road.stored()
        await road.use(within_the_first, 5)
        second = await road.pay()
        reaching_into_the_second = await order(road, "free-3gb")
        assert (await road.ask_refund(second)).state is PaymentState.REFUNDING
        assert (await road.now(reaching_into_the_second)).state is SessionState.REVOKED
        assert (await road.now(within_the_first)).state is SessionState.ACTIVE
        assert await held(road)
        assert (await order(road, "unlimited")).valid_until.isoformat() == END
        assert (await road.ask_refund(first)).state is PaymentState.SETTLED


async def test_a_pass_holds_although_none_is_sold_any_more(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules(sold=False)) as road:
        with pytest.raises(PaymentsNotSetUpError):
            await order(road, "unlimited")
        await road.pay()
        assert (await order(road, "unlimited")).allowance_octets is None


async def test_the_pass_begins_at_once(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        payment = await road.pay()
        assert (await look(road, payment)).settled_at == START
        assert await held(road)

"""Gifts and shares over the real ledger, cards and books of money: what moves, what comes back, what is refused."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, func, select

from kswifi.free_data.budgets import set_budget
from kswifi.free_data.errors import AllowanceExceededError
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_budget, free_grant
from kswifi.kernel.errors import RefusedError
from kswifi.ledger.commands import Freeze
from kswifi.people import store
from kswifi.people.gifts import GiftService, Wish
from kswifi.people.model import OctetTransfer, TransferState
from kswifi.people.returns import return_due
from kswifi.people.rules import GiftRules
from kswifi.people.sql import octet_transfer
from kswifi.sessions.model import InternetSession, SessionSource, SessionState
from kswifi.sessions.store import find_session
from tests.support.session_roads import ADA, BOLA, GB, Road, open_road

T = TypeVar("T")
MB = 10**6
RULES = FreeDataRules(cost_kobo_per_gb=20_001)


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[Road]:
    async with open_road(tmp_path, rules=RULES) as road:
        await road.database.write(lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, 10**7))
        yield road


async def offer(road: Road, session: InternetSession, octets: int, esim_id: str | None = None) -> OctetTransfer:
    wish = Wish(session.session_id, octets, esim_id)
    return await road.database.write(lambda connection: road.gifts.offer(connection, session.user_id, wish))


async def claim(road: Road, code: str | None, user_id: str = BOLA) -> OctetTransfer:
    assert code is not None
    return await road.database.write(
        lambda connection: road.gifts.claim(connection, user_id, code, esim_id=None, device_id=None)
    )


async def withdraw(road: Road, code: str | None, user_id: str = ADA) -> OctetTransfer:
    assert code is not None
    return await road.database.write(lambda connection: road.gifts.withdraw(connection, user_id, code))


async def now(road: Road, transfer: OctetTransfer) -> OctetTransfer:
    found = await road.database.read(lambda connection: store.find_transfer(connection, transfer.transfer_id))
    assert found is not None
    return found


async def bring_to_card(road: Road, transfer: OctetTransfer) -> InternetSession:
    """Download the session of a claimed transfer, and have its card store it."""
    assert transfer.to_session_id is not None
    session = await road.database.read(lambda connection: find_session(connection, transfer.to_session_id or ""))
    await road.settle()
    session, _ = await road.downloads.package(session.user_id, session.session_id)
    assert session.package_sha256 is not None
    await road.downloads.confirm_download(session.user_id, session.session_id, session.package_sha256)
    await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
    await road.settle()
    await road.prove(session)
    await road.settle()
    return await road.now(session)


async def money(road: Road) -> tuple[int, int, int]:
    """Return the budget's reserved kobo, those of all grants and transfers together, and the spent kobo."""

    def look(connection: Connection) -> tuple[int, int, int]:
        reserved, spent = connection.execute(select(free_budget.c.reserved_kobo, free_budget.c.spent_kobo)).one()
        grants = connection.scalar(select(func.sum(free_grant.c.reserved_kobo))) or 0
        transit = connection.scalar(select(func.sum(octet_transfer.c.kobo))) or 0
        return reserved, grants + transit, spent

    return await road.database.read(look)


async def refused(code: str, doing: Callable[[], object]) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        await doing()  # type: ignore[misc]
    assert raised.value.code == code
    return raised.value


async def test_half_of_a_session_reaches_another_account_with_its_money(road: Road) -> None:
    session = await road.stored()
    in_all, _, _ = await money(road)
    gift = await offer(road, session, 500 * MB)
    await road.settle()
    assert (await now(road, gift)).state is TransferState.SENT
    claimed = await claim(road, gift.code)
    received = await bring_to_card(road, claimed)
    assert (received.state, received.source, received.allowance_octets) == (
        SessionState.STORED,
        SessionSource.GIFT,
        500 * MB,
    )
    assert (await now(road, gift)).state is TransferState.RECEIVED
    assert received.valid_until == session.valid_until
    giver, taker = (await road.usage(session)).balance, (await road.usage(received)).balance
    assert (giver.available, taker.available) == (500 * MB, 500 * MB)
    assert (await money(road))[:2] == (in_all, in_all)
    await road.use(received, 500 * MB, 1)
    await road.use(session, 500 * MB, 2)
    assert (await road.now(received)).state is SessionState.EXHAUSTED
    assert (await road.now(session)).state is SessionState.EXHAUSTED
    reserved, grants, spent = await money(road)
    assert (reserved, grants, spent) == (0, 0, in_all)


async def test_the_receiver_cannot_spend_before_the_card_proved_it(road: Road) -> None:
    session = await road.stored()
    gift = await offer(road, session, 500 * MB)
    await road.settle()
    claimed = await claim(road, gift.code)
    await road.settle()
    received = await road.database.read(lambda connection: find_session(connection, claimed.to_session_id or ""))
    assert (await road.reserve(received, MB)).granted_octets == 0
    account = road.ledger.state.account(received.session_id)
    assert account is not None
    assert (account.balances.available, account.balances.transferred_in) == (0, 0)


@pytest.mark.parametrize("how", ["withdrawn", "not_claimed", "not_stored", "cancelled"])
async def test_octets_and_money_come_back(road: Road, how: str) -> None:
    session = await road.stored()
    before = await money(road)
    gift = await offer(road, session, 400 * MB)
    await road.settle()
    assert (await road.usage(session)).balance.available == 600 * MB
    if how == "withdrawn":
        await withdraw(road, gift.code)
    if how in ("not_stored", "cancelled"):
        claimed = await claim(road, gift.code)
        await road.settle()
        if how == "cancelled":
            await road.downloads.cancel(BOLA, claimed.to_session_id or "")
    if how in ("not_claimed", "not_stored"):
        road.clock.advance(timedelta(hours=48))
    await return_due(road.database)
    await road.settle()
    returned = await now(road, gift)
    assert returned.state is TransferState.RETURNED
    assert returned.reason == (how if how != "cancelled" else "not_stored")
    assert (await road.usage(session)).balance.available == GB
    assert (await road.now(session)).sent_octets == 0
    assert await money(road) == before
    await refused("gift_gone", lambda: claim(road, gift.code))


async def test_a_withdrawal_before_the_ledger_answered_returns_the_octets(road: Road) -> None:
    session = await road.stored()
    gift = await offer(road, session, 400 * MB)
    assert (await withdraw(road, gift.code)).reason == "withdrawn"
    await road.settle()
    assert (await now(road, gift)).state is TransferState.RETURNED
    assert (await road.usage(session)).balance.available == GB


async def test_of_a_claim_and_a_withdrawal_exactly_one_wins(road: Road) -> None:
    session = await road.stored()
    gift = await offer(road, session, 400 * MB)
    await road.settle()
    await claim(road, gift.code)
    await refused("gift_taken", lambda: withdraw(road, gift.code))
    other = await offer(road, session, 100 * MB)
    await road.settle()
    await withdraw(road, other.code)
    await refused("gift_gone", lambda: claim(road, other.code))


async def test_octets_that_were_used_before_they_could_be_sent_are_refused(road: Road) -> None:
    session = await road.stored()
    before = await money(road)
    gift = await offer(road, session, 400 * MB)
    await road.reserve(session, 700 * MB)
    await road.settle()
    assert (await now(road, gift)).state is TransferState.REFUSED
    assert await money(road) == before
    assert (await road.now(session)).sent_octets == 0


async def test_octets_of_a_frozen_line_are_not_given(road: Road) -> None:
    session = await road.stored()
    await road.ledger.execute(Freeze("freeze", session.esim_id, True))
    gift = await offer(road, session, 400 * MB)
    await road.settle()
    assert (await now(road, gift)).state is TransferState.REFUSED


async def test_a_share_between_own_lines_needs_no_code_and_counts_once(road: Road) -> None:
    session = await road.stored()
    other = await road.downloads.order(ADA, "free-1gb", esim_id="new")
    left = road.free_data.left_octets
    before = await road.database.read(lambda connection: left(connection, ADA))
    await road.downloads.cancel(ADA, other.session_id)
    await road.settle()
    shared = await offer(road, session, 300 * MB, other.esim_id)
    await road.settle()
    assert (await now(road, shared)).state is TransferState.CLAIMED
    assert shared.code is None
    received = await bring_to_card(road, await now(road, shared))
    assert (received.source, received.user_id) == (SessionSource.SHARE, ADA)
    assert (await road.usage(received)).balance.available == 300 * MB
    after = await road.database.read(lambda connection: left(connection, ADA))
    assert after == before + GB


async def test_what_is_given_away_still_counts_against_the_givers_allowance(road: Road) -> None:
    session = await road.stored()
    before = await road.database.read(lambda connection: road.free_data.left_octets(connection, ADA))
    await offer(road, session, 400 * MB)
    await road.settle()
    after = await road.database.read(lambda connection: road.free_data.left_octets(connection, ADA))
    assert after == before


async def test_a_session_given_away_whole_ends_when_it_was_received(road: Road) -> None:
    session = await road.stored()
    gift = await offer(road, session, GB)
    await road.settle()
    assert (await road.now(session)).state is SessionState.STORED
    await bring_to_card(road, await claim(road, gift.code))
    ended = await road.now(session)
    assert (ended.state, ended.state_reason) == (SessionState.REVOKED, "given away")


async def test_limits_of_giver_and_receiver(road: Road) -> None:
    session = await road.stored()
    road.gifts = GiftService(
        road.downloads,
        road.free_data,
        GiftRules(
            giver_verified=False, giver_age=timedelta(), receiver_octets=500 * MB, open_at_once=2, receiver_givers=2
        ),
    )
    first, second = await offer(road, session, 300 * MB), await offer(road, session, 300 * MB)
    await refused("too_many_gifts", lambda: offer(road, session, 100 * MB))
    await road.settle()
    await refused("gift_is_yours", lambda: claim(road, first.code, ADA))
    received = await bring_to_card(road, await claim(road, first.code))
    await refused("received_enough", lambda: claim(road, second.code))
    await refused("not_givable", lambda: offer(road, received, 100 * MB))
    await refused("unknown_gift", lambda: withdraw(road, second.code, BOLA))
    await refused("gift_too_large", lambda: offer(road, session, GB))
    young = GiftRules(giver_verified=False, giver_age=timedelta(days=366))
    road.gifts = GiftService(road.downloads, road.free_data, young)
    await refused("giver_too_new", lambda: offer(road, session, MB))


async def test_the_receiver_passes_the_rules_of_free_data(road: Road) -> None:
    session = await road.stored()
    gift = await offer(road, session, 400 * MB)
    await road.settle()
    for _ in range(5):
        await road.downloads.order(BOLA, "free-1gb", esim_id="new")
    with pytest.raises(AllowanceExceededError):
        await claim(road, gift.code)
    assert (await now(road, gift)).state is TransferState.SENT


async def test_a_gift_that_ends_too_soon_cannot_be_claimed(road: Road) -> None:
    session = await road.stored()
    road.clock.advance(session.valid_until - road.clock.now() - timedelta(hours=30))
    gift = await offer(road, session, 400 * MB)
    await road.settle()
    road.clock.advance(timedelta(hours=7))
    await refused("gift_too_late", lambda: claim(road, gift.code))

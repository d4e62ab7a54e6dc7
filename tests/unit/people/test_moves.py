"""Moves to a new phone: who may begin one and when, what reaches the new eSIM, and what a thief cannot do."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from kswifi.accounts.identifiers import SecurityChange, tell_owner
from kswifi.accounts.model import SignedIn, User, hash_recovery_code
from kswifi.accounts.sql import login_session, user_account
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.errors import RefusedError
from kswifi.people.move_model import Confirmation, MoveReason, MoveState, PhoneMove, due_at
from kswifi.people.moves import Movers, MoveService
from kswifi.sessions.model import InternetSession, SessionSource, SessionState
from kswifi.sessions.store import find_session
from tests.support.databases import START
from tests.support.session_roads import ADA, GB, Road, open_road

MB = 10**6
HOUR = timedelta(hours=1)
CODE = "correct-recovery-code"


class Moving:
    """A road with the moves of Ada, who is signed in on two devices."""

    def __init__(self, road: Road) -> None:
        self.road = road
        self.moves = MoveService()
        self.movers = Movers(road.database, lambda: road.ledger.state, road.downloads, road.gifts)

    def signed_in(self, token: str) -> SignedIn:
        from kswifi.accounts.model import hash_token, login_id

        user = User(ADA, "+2348031234567", None, START)
        return SignedIn(user, "csrf", START + 1000 * HOUR, login_id(hash_token(token)))

    async def sign_in(self, token: str) -> None:
        from kswifi.accounts.model import hash_token

        now = self.road.clock.now()
        values = {"token_hash": hash_token(token), "user_id": ADA, "created_at": now, "seen_at": now}
        await self.road.database.write(
            lambda connection: connection.execute(
                insert(login_session).values(expires_at=now + 1000 * HOUR, **values)
            )
        )

    async def ask(
        self, session: InternetSession, why: MoveReason = MoveReason.LOST, token: str = "new"
    ) -> PhoneMove:
        asked = await self.road.database.write(
            lambda connection: self.moves.ask(connection, ADA, session.esim_id, why, self.signed_in(token).login_id)
        )
        await self.road.settle()
        return asked

    async def confirm(self, move: PhoneMove, shown: Confirmation, code: str = "", token: str = "new") -> PhoneMove:
        return await self.road.database.write(
            lambda connection: self.moves.confirm(connection, self.signed_in(token), move.move_id, shown, code)
        )

    async def now(self, move: PhoneMove) -> PhoneMove:
        return await self.road.database.read(lambda connection: self.moves.move(connection, ADA, move.move_id))

    async def carry_out(self) -> None:
        await self.movers.carry_out()
        await self.road.settle()

    async def moved_to(self, session: InternetSession) -> InternetSession:
        moved_to = (await self.road.now(session)).moved_to
        assert moved_to is not None
        return await self.road.database.read(lambda connection: find_session(connection, moved_to))

    async def store(self, session: InternetSession) -> InternetSession:
        session, _ = await self.road.downloads.package(ADA, session.session_id)
        await self.road.downloads.confirm_download(ADA, session.session_id, session.package_sha256 or "")
        await self.road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await self.road.settle()
        await self.road.prove(session)
        await self.road.settle()
        return await self.road.now(session)


@pytest.fixture
async def moving(tmp_path: Path) -> AsyncIterator[Moving]:
    async with open_road(tmp_path, rules=FreeDataRules(cost_kobo_per_gb=20_000)) as road:
        moving = Moving(road)
        await road.database.write(
            lambda connection: connection.execute(
                update(user_account)
                .where(user_account.c.user_id == ADA)
                .values(recovery_code_hash=hash_recovery_code(CODE))
            )
        )
        await moving.sign_in("old")
        road.clock.advance(HOUR)
        await moving.sign_in("new")
        yield moving


async def refused(code: str, doing: object) -> None:
    with pytest.raises(RefusedError) as raised:
        await doing  # type: ignore[misc]
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("confirmed", "changed", "due"),
    [
        (None, None, START + 24 * HOUR),
        (START + HOUR, None, START + HOUR),
        (None, START - 60 * HOUR, START + 24 * HOUR),
        (None, START, START + 72 * HOUR),
        (START + HOUR, START - HOUR, START + 71 * HOUR),
        (START + HOUR, START - 90 * HOUR, START + HOUR),
    ],
)
def test_when_a_move_is_due(confirmed: datetime | None, changed: datetime | None, due: datetime) -> None:
    assert due_at(START, confirmed, changed) == due


async def test_the_session_of_a_lost_phone_reaches_the_new_one_and_only_that(moving: Moving) -> None:
    road = moving.road
    session = await road.stored()
    await road.reserve(session, 300 * MB, 1)
    move = await moving.ask(session)
    await moving.confirm(move, Confirmation.RECOVERY_CODE, CODE)
    await moving.carry_out()
    assert (await moving.now(move)).state is MoveState.WAITING, "the network still holds octets"
    assert (await road.commit(session, 200 * MB, 2)).granted_octets == 0, "the line is frozen"
    await moving.carry_out()
    assert (await moving.now(move)).state is MoveState.MOVING
    received = await moving.moved_to(session)
    assert (received.source, received.allowance_octets) == (SessionSource.MOVE, 800 * MB)
    assert received.valid_until == session.valid_until
    assert received.esim_id != session.esim_id
    assert (await road.reserve(received, MB, 3)).granted_octets == 0
    received = await moving.store(received)
    assert received.state is SessionState.STORED
    old = await road.now(session)
    assert (old.state, old.state_reason) == (SessionState.REVOKED, "moved to a new eSIM")
    await moving.carry_out()
    assert (await moving.now(move)).state is MoveState.MOVED
    assert (await road.use(received, 800 * MB, 4)).committed_octets == 800 * MB
    assert (await road.now(received)).state is SessionState.EXHAUSTED
    ordered = await road.downloads.order(ADA, "free-1gb")
    assert ordered.esim_id == received.esim_id, "new orders go to the new eSIM"


async def test_a_second_session_follows_once_the_new_esim_is_installed(moving: Moving) -> None:
    road = moving.road
    first, second = await road.stored(), await road.stored()
    move = await moving.ask(first)
    await moving.confirm(move, Confirmation.RECOVERY_CODE, CODE)
    await moving.carry_out()
    leading, waiting = (first, second) if (await road.now(first)).moved_to else (second, first)
    assert (await road.now(waiting)).moved_to is None
    await moving.store(await moving.moved_to(leading))
    await moving.carry_out()
    received = await moving.store(await moving.moved_to(waiting))
    assert (received.state, received.allowance_octets) == (SessionState.STORED, GB)
    await moving.carry_out()
    assert (await moving.now(move)).state is MoveState.MOVED


async def test_withheld_tranches_move_with_their_session(tmp_path: Path) -> None:
    rules = FreeDataRules(cost_kobo_per_gb=20_000, tranche_octets=400 * MB)
    async with open_road(tmp_path, rules=rules) as road:
        moving = Moving(road)
        await moving.sign_in("old")
        road.clock.advance(HOUR)
        session = await road.stored()
        move = await moving.ask(session, MoveReason.BROKEN)
        await moving.confirm(move, Confirmation.OLD_DEVICE, token="old")
        await moving.carry_out()
        received = await moving.store(await moving.moved_to(session))
        assert received.allowance_octets == GB
        assert (await road.usage(received)).balance.withheld == 600 * MB
        number = 0
        while (await road.now(received)).state is not SessionState.EXHAUSTED:
            number += 1
            assert number < 20
            await road.use(received, 100 * MB, number)
        assert (await road.usage(received)).balance.used == GB


async def test_an_unconfirmed_move_waits_a_day_and_can_be_cancelled(moving: Moving) -> None:
    road = moving.road
    session = await road.stored()
    move = await moving.ask(session)
    road.clock.advance(23 * HOUR)
    await moving.carry_out()
    assert (await moving.now(move)).state is MoveState.WAITING
    await road.database.write(lambda connection: moving.moves.cancel(connection, ADA, move.move_id))
    await road.settle()
    assert (await road.use(session, MB)).committed_octets == MB
    road.clock.advance(2 * HOUR)
    await moving.carry_out()
    assert (await moving.now(move)).state is MoveState.CANCELLED
    again = await moving.ask(session)
    road.clock.advance(24 * HOUR)
    await moving.carry_out()
    assert (await moving.now(again)).state is MoveState.MOVING


async def test_a_thief_confirms_nothing(moving: Moving) -> None:
    """A lost phone is signed out; a wrong code, the asking device and a younger device confirm nothing."""
    session = await moving.road.stored()
    move = await moving.ask(session, MoveReason.BROKEN)
    await refused("move_not_confirmed", moving.confirm(move, Confirmation.RECOVERY_CODE, "guessed"))
    await refused("move_not_confirmed", moving.confirm(move, Confirmation.OLD_DEVICE))
    moving.road.clock.advance(HOUR)
    await moving.sign_in("thief")
    await refused("move_not_confirmed", moving.confirm(move, Confirmation.OLD_DEVICE, token="thief"))
    await moving.road.database.write(lambda connection: moving.moves.cancel(connection, ADA, move.move_id))
    lost = await moving.ask(session, MoveReason.LOST)
    await refused("move_not_confirmed", moving.confirm(lost, Confirmation.OLD_DEVICE, token="old"))


async def test_nothing_moves_within_three_days_of_a_changed_password(moving: Moving) -> None:
    road = moving.road
    session = await road.stored()
    await road.database.write(lambda connection: tell_owner(connection, ADA, SecurityChange.PASSWORD_CHANGED))
    move = await moving.ask(session)
    assert (await moving.confirm(move, Confirmation.PASSKEY)).due_at == road.clock.now() + 72 * HOUR
    await moving.carry_out()
    assert (await moving.now(move)).state is MoveState.WAITING
    road.clock.advance(71 * HOUR)
    await road.database.write(lambda connection: tell_owner(connection, ADA, SecurityChange.RECOVERED))
    road.clock.advance(HOUR)
    await moving.carry_out()
    waiting = await moving.now(move)
    assert (waiting.state, waiting.due_at) == (MoveState.WAITING, road.clock.now() + 71 * HOUR)


async def test_a_line_moves_once_at_a_time_and_twice_a_month(moving: Moving) -> None:
    session = await moving.road.stored()
    move = await moving.ask(session)
    await refused("move_under_way", moving.ask(session))
    await moving.confirm(move, Confirmation.RECOVERY_CODE, CODE)
    await moving.carry_out()
    received = await moving.store(await moving.moved_to(session))
    await moving.carry_out()
    await refused("move_under_way", moving.ask(session))
    second = await moving.ask(received)
    await moving.confirm(second, Confirmation.RECOVERY_CODE, CODE)
    await moving.carry_out()
    third = await moving.store(await moving.moved_to(received))
    await refused("too_many_moves", moving.ask(third))

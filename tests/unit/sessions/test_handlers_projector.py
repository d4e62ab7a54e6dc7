"""Steps worked twice, steps that die half-way, and a projection that counts each effect once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select, update

from kswifi.esim.model import Hold
from kswifi.esim.ports import StorageProof
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import (
    Ask,
    Command,
    Commit,
    ContinueWithNext,
    Credit,
    HoldWallet,
    OpenWallet,
    Outcome,
    OutcomeCode,
    ProveStorage,
    Reserve,
)
from kswifi.ledger.effects import Effect
from kswifi.ledger.errors import LedgerBusyError
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Refused, Unknown
from kswifi.outbox.sql import outbox_entry
from kswifi.sessions import jobs, projected_states
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.projected_states import apply_to_state
from kswifi.sessions.projector import Pace, Projector, projected_sequence
from kswifi.sessions.sql import internet_session, ledger_projection, session_balance
from kswifi.sessions.store import get_balance
from tests.support.session_roads import ADA, GB, Road, open_road


def entry(kind: str, session: InternetSession, **more: str) -> Entry:
    return Entry(0, kind, "key", {"session_id": session.session_id, "esim_id": session.esim_id, **more}, 1, "test")


async def test_every_step_may_be_worked_again(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        await road.prove(session)
        await road.settle()
        await road.use(session, 1000)
        before = (await road.now(session), await _balance(road, session))
        handlers = road.handlers.handlers()
        for kind in (jobs.PREPARE, jobs.DELIVER, jobs.PROVE_STORAGE, jobs.LINE):
            assert await handlers[kind](entry(kind, session)) == Done(), kind
        assert isinstance(await handlers[jobs.EXPIRE](entry(jobs.EXPIRE, session)), Unknown)
        await road.settle()
        assert (await road.now(session), await _balance(road, session)) == before


async def _balance(road: Road, session: InternetSession) -> object:
    return await road.database.read(lambda connection: get_balance(connection, session.session_id))


class DeafLedger:
    """Executes each command, and loses the first answers."""

    def __init__(self, road: Road, deaf_for: int) -> None:
        self._road = road
        self.deaf_for = deaf_for

    async def execute(self, command: Command) -> Outcome:
        outcome = await self._road.ledger.execute(command)
        if self.deaf_for:
            self.deaf_for -= 1
            raise LedgerBusyError("the answer was lost")
        return outcome


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_lost_answer_credits_once(tmp_path: Path, lost: int) -> None:
    async with open_road(tmp_path) as road:
        road.handlers._ledger = DeafLedger(road, lost)
        session = await road.downloads.download_session(ADA, GB)
        for _ in range(3):
            await road.handlers.prepare(entry(jobs.PREPARE, session))
        await road.settle()
        assert (await road.now(session)).state is SessionState.PACKAGED
        account = road.ledger.state.account(session.session_id)
        assert account is not None
        assert account.balances.credited == GB


class RefusingLedger:
    """Refuses every credit."""

    async def execute(self, command: Command) -> Outcome:
        refused = isinstance(command, Credit)
        return Outcome(OutcomeCode.TOO_MANY if refused else OutcomeCode.DONE)


async def test_a_refusal_fails_the_session_and_gives_the_allowance_back(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        road.handlers._ledger = RefusingLedger()
        session = await road.downloads.download_session(ADA, 5 * GB)
        assert isinstance(await road.handlers.prepare(entry(jobs.PREPARE, session)), Refused)
        failed = await road.now(session)
        assert (failed.state, failed.state_reason) == (
            SessionState.FAILED,
            "the ledger refused it: too_many",
        )
        await road.downloads.download_session(ADA, 5 * GB)


async def test_a_session_keeps_the_instant_of_its_first_octet(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        assert session.activated_at is None
        road.clock.advance(timedelta(minutes=5))
        first = road.clock.now()
        await road.use(session, 1000, 1)
        road.clock.advance(timedelta(minutes=5))
        await road.use(session, 1000, 2)
        assert (await road.now(session)).activated_at == first


async def test_a_session_that_was_never_prepared_in_its_validity_expires(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.downloads.download_session(ADA, GB)
        road.clock.advance(session.valid_until - road.clock.now())
        assert await road.handlers.prepare(entry(jobs.PREPARE, session)) == Done()
        await road.settle()
        assert (await road.now(session)).state is SessionState.EXPIRED


async def test_a_cancel_during_the_preparation_revokes_what_was_credited(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.downloads.download_session(ADA, GB)
        honest = road.ledger

        class CancelInBetween:
            async def execute(self, command: Command) -> Outcome:
                if isinstance(command, Credit):
                    await road.downloads.cancel(ADA, session.session_id)
                    # The revocation is worked first and finds no account.
                    await road.worker.run_until_idle()
                return await honest.execute(command)

        road.handlers._ledger = CancelInBetween()
        await road.handlers.prepare(entry(jobs.PREPARE, session))
        road.handlers._ledger = honest
        await road.settle()
        account = road.ledger.state.account(session.session_id)
        assert account is not None
        assert account.balances.revoked == GB
        assert (await road.now(session)).state is SessionState.REVOKED


async def test_an_older_wish_never_overtakes_a_newer_one(tmp_path: Path) -> None:
    """The worker that carries the pause is slow; the owner has changed their mind meanwhile."""
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, 1000)
        honest, reached, go = road.ledger, asyncio.Event(), asyncio.Event()

        class SlowToHold:
            async def execute(self, command: Command) -> Outcome:
                if isinstance(command, HoldWallet):
                    reached.set()
                    await go.wait()
                return await honest.execute(command)

        road.handlers._ledger = SlowToHold()
        await road.downloads.deactivate_session(session.esim_id)
        older = asyncio.create_task(road.handlers.apply_wish(entry(jobs.LINE, session)))
        await reached.wait()
        await road.downloads.activate_session_on_esim(session.esim_id)
        newer = asyncio.create_task(road.handlers.apply_wish(entry(jobs.LINE, session)))
        await asyncio.wait([newer], timeout=0.3)
        go.set()
        assert (await older, await newer) == (Done(), Done())
        await road.settle()
        usage = await road.usage(session)
        assert (usage.state, usage.hold) == (SessionState.ACTIVE, None)


async def test_a_delivery_that_is_refused_fails_the_transfer(tmp_path: Path) -> None:
    class NoRoad:
        async def deliver(self, esim_id: str, session_record: bytes) -> Refused:
            return Refused("no road to this card")

    async with open_road(tmp_path) as road:
        session = await road.downloaded()
        road.handlers._delivery = NoRoad()
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.settle()
        failed = await road.now(session)
        assert (failed.state, failed.state_reason) == (SessionState.DOWNLOADED, "no road to this card")


@settings(deadline=None, max_examples=8)
@given(deaths=st.lists(st.integers(0, 30), min_size=1, max_size=4))
async def test_a_projector_that_dies_anywhere_counts_once(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int]
) -> None:
    """It dies in the middle of its transaction, after any number of effects, and starts anew."""

    class Killed(BaseException):
        pass

    async with open_road(tmp_path_factory.mktemp("road")) as road:
        session = await road.stored()
        for number in range(5):
            await road.reserve(session, 1000, number)
        await road.use(session, 777, 9)
        expected = (await road.now(session), await _balance(road, session))

        def change(connection: Connection) -> None:  # as if nothing had been projected yet
            connection.execute(delete(ledger_projection))
            connection.execute(delete(session_balance))

        await road.database.write(change)
        reached = 0
        for survive in deaths:
            projector = Projector(road.database, road.ledger)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(projected_states, "apply_to_state", _dying(survive, Killed))
                try:
                    await projector.catch_up()
                except Killed:
                    assert await projected_sequence(road.database) == reached
            reached = await projected_sequence(road.database)
        await Projector(road.database, road.ledger).catch_up()
        assert (await road.now(session), await _balance(road, session)) == expected
        assert await projected_sequence(road.database) == road.ledger.durable_sequence


def _dying(survive: int, death: type[BaseException]) -> object:
    left = survive
    honest = apply_to_state

    def apply(connection: Connection, effect: Effect) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise death
        honest(connection, effect)

    return apply


async def test_accounts_of_nobody_do_not_stop_the_projection(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        expires = 2_000_000_000
        for command in (
            OpenWallet("w", "nobody", "001010000009999"),
            Credit("c", "nobody", "nothing", 10, expires),
            Reserve("r", "gw;1", "nobody", Ask(1, 1, expires)),
        ):
            await road.ledger.execute(command)
        session = await road.stored()
        assert session.state is SessionState.STORED


async def test_it_follows_the_ledger_while_it_runs(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        projector = Projector(road.database, road.ledger, pace=Pace(pause_seconds=0.01))
        road.ledger.on_durable = projector.wake
        running = asyncio.create_task(projector.run())
        await road.reserve(session, GB)
        for _ in range(200):
            if (await road.usage(session)).balance.reserved == GB:
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the projector did not follow")
        projector.stop()
        await asyncio.wait_for(running, 5)


async def _cut_offs_asked_for(road: Road) -> list[str]:
    def look(connection: Connection) -> list[str]:
        asked = connection.execute(select(outbox_entry.c.key).where(outbox_entry.c.kind == jobs.CUT_OFF))
        return [row.key for row in asked]

    return await road.database.read(look)


async def test_the_cut_off_is_asked_for_where_the_ledger_has_not_made_it(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.ledger.execute(ContinueWithNext("next", session.esim_id, enabled=True))
        await road.reserve(session, GB)
        await road.ledger.execute(Commit("all", f"gw;{session.esim_id}", GB))
        await road.projector.catch_up()
        # Exhausted, and nobody asked for anything: but the line is open until the network says otherwise.
        assert (await road.now(session)).state is SessionState.EXHAUSTED
        assert (await road.usage(session)).hold is None
        assert await _cut_offs_asked_for(road) == [f"line.cut_off:{session.session_id}"]
        await road.settle()
        assert (await road.usage(session)).hold is Hold.EXHAUSTED
        assert await road.handlers.cut_off(entry(jobs.CUT_OFF, session)) == Done()


async def test_no_cut_off_is_asked_for_where_the_ledger_made_it(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, GB)
        assert (await road.usage(session)).hold is Hold.EXHAUSTED
        assert await _cut_offs_asked_for(road) == []


async def test_a_line_with_a_usable_session_is_never_cut_off(tmp_path: Path) -> None:
    """The cut-off was asked for, and comes to be worked when a next session is on the card."""
    async with open_road(tmp_path) as road:
        session = await road.stored()
        assert await road.handlers.cut_off(entry(jobs.CUT_OFF, session)) == Done()
        await road.settle()
        assert (await road.usage(session)).hold is None


async def test_a_proof_that_was_not_verified_is_never_told_to_the_ledger(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        assert isinstance(await road.handlers.prove_storage(entry(jobs.PROVE_STORAGE, session)), Refused)
        assert (await road.reserve(session, 1)).code is OutcomeCode.NOT_PROVEN


@pytest.mark.parametrize("proof", ["provider_status", "por"])
@pytest.mark.parametrize("switched_on", [True, False])
async def test_only_a_cards_own_proof_ends_an_exhaustion_and_only_where_that_is_wanted(
    tmp_path: Path, proof: str, switched_on: bool
) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        commands: list[Command] = []
        execute = road.ledger.execute

        async def note(command: Command) -> Outcome:
            commands.append(command)
            return await execute(command)

        road.ledger.execute = note  # type: ignore[method-assign]
        road.handlers._proof_ends_exhaustion = switched_on
        row = update(internet_session).where(internet_session.c.session_id == session.session_id)
        await road.database.write(lambda tx: tx.execute(row.values(storage_proof=StorageProof(proof))).rowcount)
        await road.handlers.prove_storage(entry(jobs.PROVE_STORAGE, session))
        (command,) = commands
        assert isinstance(command, ProveStorage)
        expected = unix_seconds(session.ordered_at) if proof == "por" and switched_on else 0
        assert command.ordered_at == expected


async def test_an_exhaustion_is_shown_before_a_pause(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, GB)
        await road.ledger.execute(HoldWallet("pause", session.esim_id, "paused"))
        await road.projector.catch_up()
        assert (await road.usage(session)).hold is Hold.EXHAUSTED


@pytest.mark.parametrize("ordered_before", [True, False])
async def test_a_session_ordered_after_the_exhaustion_starts_once_it_is_stored(
    tmp_path: Path, ordered_before: bool
) -> None:
    """Nobody has to ask for it: its owner may have left the WiFi."""
    async with open_road(tmp_path) as road:
        first = await road.stored()
        second = await road.transferring() if ordered_before else None
        road.clock.advance(timedelta(seconds=5))
        await road.use(first, GB)
        assert (await road.usage(first)).hold is Hold.EXHAUSTED
        road.clock.advance(timedelta(seconds=5))
        second = second or await road.transferring()
        assert second.esim_id == first.esim_id
        await road.carry(second)
        await road.settle()
        assert (await road.now(second)).state is SessionState.STORED
        usage = await road.usage(first)
        assert usage.hold is (Hold.EXHAUSTED if ordered_before else None)

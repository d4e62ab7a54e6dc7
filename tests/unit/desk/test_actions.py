"""What support does, on a road with a ledger: it reaches the ledger, is limited, and leaves its trace."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from kswifi.catalogue.service import Catalogue
from kswifi.desk import goodwill
from kswifi.desk.audit import actions, verify_trail
from kswifi.desk.customers import (
    find_customers,
    forget_support_data,
    masked,
    replace_recovery_code,
    show_customer,
    sign_out,
)
from kswifi.desk.disputes import answer
from kswifi.desk.errors import GOODWILL_DECIDED, GOODWILL_INVALID, NOT_STUCK, ROLE_MAY_NOT, SECOND_PERSON_NEEDED
from kswifi.desk.goodwill import GoodwillHandlers
from kswifi.desk.lines import set_line_frozen
from kswifi.desk.payments import look_up, refund
from kswifi.desk.roles import Operator, Role
from kswifi.desk.sessions import revoke
from kswifi.desk.stuck_jobs import jobs, retry
from kswifi.desk.timeline import timeline
from kswifi.esim.lines.service import find_esim
from kswifi.free_data.rules import FreeDataRules
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.ledger.commands import OutcomeCode
from kswifi.outbox.service import enqueue, events_after
from kswifi.payments.model import PaymentState
from kswifi.sessions.disputes import ANSWERED, disputes_of, open_dispute, open_disputes
from kswifi.sessions.errors import DISPUTE_ANSWERED
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.store import timeline_of
from tests.support.refusals import refused
from tests.support.session_roads import ADA, BOLA, GB, Road, open_road

SUSI = Operator("susi", Role.SUPPORT)
ADE = Operator("ade", Role.ADMINISTRATOR)
OFFERS = Catalogue.load()
FREE = OFFERS.offer("free-1gb")


async def _freeze(road: Road, session: InternetSession, *, frozen: bool) -> bool:
    await road.database.write(
        lambda connection: set_line_frozen(connection, SUSI, session.esim_id, "lost phone", frozen=frozen)
    )
    await road.settle()
    return (await road.database.read(lambda connection: find_esim(connection, session.esim_id))).frozen


async def _give(road: Road) -> None:
    """Carry out approved goodwill, as the server's worker does."""
    handlers = GoodwillHandlers(road.database, OFFERS, road.downloads).handlers()
    await Worker(road.database, handlers, WorkerLimits(attempts=2)).run_until_idle()
    await road.settle()


async def test_nothing_is_granted_to_a_frozen_line_until_it_is_thawed(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        assert await _freeze(road, session, frozen=True)
        assert (await road.reserve(session, 1000)).code is OutcomeCode.FROZEN
        await road.manager.activate_stored_session(session.esim_id)  # what a thief with the phone would try
        await road.settle()
        assert (await road.reserve(session, 1000, 1)).code is OutcomeCode.FROZEN
        assert not await _freeze(road, session, frozen=False)
        assert (await road.reserve(session, 1000, 2)).code is OutcomeCode.DONE
        done = await road.database.read(actions)
    assert [(it.command, it.after) for it in done] == [
        ("lines thaw", {"wanted": False}),
        ("lines freeze", {"wanted": True}),
    ]


async def test_a_line_without_a_wallet_is_frozen_from_its_beginning(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.downloads.download_session(ADA, GB)
        assert await _freeze(road, session, frozen=True)
        session, package = await road.downloads.package(ADA, session.session_id)
        assert (session.state, bool(package)) == (SessionState.DOWNLOADING, True)
        assert (await road.reserve(session, 1000)).code is OutcomeCode.FROZEN


async def test_of_freezes_and_thaws_in_a_row_the_last_one_counts(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()

        def change(connection: Connection) -> None:
            for frozen in (True, False, True):
                set_line_frozen(connection, SUSI, session.esim_id, "to and fro", frozen=frozen)

        await road.database.write(change)
        await road.settle()
        assert (await road.database.read(lambda connection: find_esim(connection, session.esim_id))).frozen


async def test_a_revoked_session_gives_its_octets_back(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        spent, ordered = await road.stored(), await road.downloads.download_session(BOLA, GB)
        await road.use(spent, 1000)
        for session in (spent, ordered, spent):
            step = partial(revoke, operator=SUSI, session_id=session.session_id, reason="fraud")
            await road.database.write(step)
        await road.settle()
        assert (await road.now(spent)).state is SessionState.REVOKED
        assert (await road.now(ordered)).state is SessionState.REVOKED
        balance = (await road.usage(spent)).balance
        assert (balance.used, balance.revoked, balance.available) == (1000, GB - 1000, 0)


async def test_goodwill_is_a_session_of_its_own_that_costs_no_allowance(tmp_path: Path) -> None:
    rules = FreeDataRules(allowance_octets=GB, cost_kobo_per_gb=20_000)
    async with open_road(tmp_path, rules) as road:
        session = await road.stored()
        left = await road.database.read(lambda connection: road.free_data.left_octets(connection, ADA))
        asked = await road.database.write(
            lambda connection: goodwill.ask(connection, SUSI, session.session_id, FREE, "data vanished")
        )
        await _give(road)
        await _give(road)  # a second run of the entry gives nothing more
        given = await road.database.read(lambda connection: goodwill.find(connection, asked.goodwill_id))
        shown = await road.database.read(lambda connection: show_customer(connection, ADA))
        assert (asked.state, given.state, len(shown.sessions)) == ("approved", "given", 2)
        assert given.given_session_id is not None
        one = shown.session(given.given_session_id)
        assert one is not None
        assert (one.session.state, one.session.allowance_octets) == (SessionState.PACKAGED, GB)
        assert left == await road.database.read(lambda connection: road.free_data.left_octets(connection, ADA)) == 0


async def test_goodwill_above_a_limit_waits_for_a_second_person(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()

        def ask(connection: Connection) -> goodwill.Goodwill:
            return goodwill.ask(connection, SUSI, session.session_id, FREE, "data vanished")

        assert (await road.database.write(ask)).state == "approved"
        second = await road.database.write(ask)  # 2 GB of one case
        assert second.state == "waiting"
        assert [it.goodwill_id for it in await road.database.read(goodwill.waiting)] == [second.goodwill_id]

        def decide(connection: Connection, who: Operator) -> goodwill.Goodwill:
            return goodwill.decide(connection, who, second.goodwill_id, approve=True, reason="seen")

        with refused(ROLE_MAY_NOT):
            await road.database.write(lambda connection: decide(connection, SUSI))
        with refused(SECOND_PERSON_NEEDED):
            await road.database.write(lambda connection: decide(connection, Operator("susi", Role.FOUNDER)))
        await road.database.write(lambda connection: decide(connection, ADE))
        with refused(GOODWILL_DECIDED):
            await road.database.write(lambda connection: decide(connection, ADE))
        await _give(road)
        customer = await road.database.read(lambda connection: show_customer(connection, ADA))
        assert len(customer.sessions) == 3
        assert (await road.database.write(ask)).state == "waiting"  # the case has had more than its limit


async def test_one_person_gives_ten_gigabytes_a_day_alone(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:

        def ask(connection: Connection, number: int) -> str:
            session_id = f"019ab0de-0000-7000-8000-{number:012d}"
            connection.execute(
                text(
                    "INSERT INTO internet_session (session_id, user_id, esim_id, offer_id, free, allowance_octets,"
                    " state, ordered_at, valid_until, idempotency_key)"
                    " SELECT :id, user_id, esim_id, offer_id, free,"
                    " allowance_octets, 'expired', ordered_at, valid_until, :id FROM internet_session LIMIT 1"
                ),
                {"id": session_id},
            )
            return goodwill.ask(connection, SUSI, session_id, FREE, "data vanished").state

        await road.downloads.download_session(ADA, GB)
        states = [await road.database.write(partial(ask, number=it)) for it in range(11)]
        assert states == ["approved"] * 10 + ["waiting"]
        road.clock.advance(timedelta(days=1, seconds=1))
        assert await road.database.write(lambda connection: ask(connection, 11)) == "approved"


async def test_goodwill_without_money_is_refused_and_says_why(tmp_path: Path) -> None:
    async with open_road(tmp_path, FreeDataRules(cost_kobo_per_gb=20_000, daily_kobo=30_000)) as road:
        session = await road.stored()
        with refused(GOODWILL_INVALID):
            await road.database.write(
                lambda connection: goodwill.ask(
                    connection, SUSI, session.session_id, OFFERS.offer("unlimited"), "data vanished"
                )
            )
        asked = await road.database.write(
            lambda connection: goodwill.ask(connection, SUSI, session.session_id, FREE, "data vanished")
        )
        await _give(road)
        refusal = await road.database.read(lambda connection: goodwill.find(connection, asked.goodwill_id))
        assert (refusal.state, refusal.given_session_id) == ("refused", None)
        assert "money" in (refusal.state_reason or "")


async def test_a_dispute_is_answered_once_and_its_owner_reads_it(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        dispute_id = "019ab0de-0000-7000-8000-00000000d1d1"
        await road.database.write(
            lambda connection: open_dispute(connection, ADA, session.session_id, dispute_id, "too much", [])
        )
        (opened,) = await road.database.read(open_disputes)
        assert (opened.due_at - opened.created_at).days == 3
        await road.database.write(lambda connection: answer(connection, SUSI, dispute_id, " We looked. "))
        (shown,) = await road.database.read(lambda connection: disputes_of(connection, session.session_id).items)
        assert (shown.answer, shown.answered_at) == ("We looked.", road.clock.now())
        assert await road.database.read(open_disputes) == []
        events = await road.database.read(lambda connection: events_after(connection, ADA, 0))
        assert [it.payload for it in events if it.kind == ANSWERED] == [
            {"dispute_id": dispute_id, "session_id": session.session_id}
        ]
        with refused(DISPUTE_ANSWERED):
            await road.database.write(lambda connection: answer(connection, SUSI, dispute_id, "again"))


async def test_a_stuck_job_is_tried_again(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        await road.database.write(
            lambda connection: enqueue(connection, kind="session.expire", key="odd", payload={"session_id": "x"})
        )
        for _ in range(4):
            await road.settle()
            road.clock.advance(timedelta(minutes=10))
        (stuck,) = (await road.database.read(jobs)).stuck
        assert (stuck.key, stuck.attempts) == ("odd", 3)
        await road.database.write(lambda connection: retry(connection, ADE, "odd", "again"))
        found = await road.database.read(jobs)
        assert (found.stuck, found.counts["waiting"] >= 1) == ((), True)
        with refused(NOT_STUCK):
            await road.database.write(lambda connection: retry(connection, ADE, "odd", "again"))


async def test_a_payment_is_looked_up_and_refunded_by_the_payers_rules(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        payment = await road.pay()

        def change(connection: Connection) -> None:
            look_up(connection, SUSI, payment.reference, "paid and got nothing")
            assert refund(connection, SUSI, payment.reference, "bought twice").state is PaymentState.REFUND_ASKED

        await road.database.write(change)
        await road.settle()
        shown = await road.database.read(lambda connection: show_customer(connection, ADA))
        assert shown.payments[0].state is PaymentState.REFUNDING


SEARCHES = {
    "ada@example.ng": "email",
    "ADA@exam": "email",
    "08031234567": "phone",
    "0803 123": "phone",
    "+23480312": "phone",
    "kswifi-1": "payment",
}


@pytest.mark.parametrize(("word", "by"), SEARCHES.items())
async def test_a_customer_is_found(tmp_path: Path, word: str, by: str) -> None:
    async with open_road(tmp_path) as road:
        await road.pay(ADA if "@" in word or by == "payment" else BOLA)

        def change(connection: Connection) -> None:
            connection.execute(
                text("UPDATE user_account SET phone_number = '+2348031234567', email = NULL WHERE user_id = :it"),
                {"it": BOLA},
            )

        await road.database.write(change)
        found = await road.database.read(lambda connection: find_customers(connection, word))
    assert [(it.user_id, it.by) for it in found] == [(BOLA if by == "phone" else ADA, by)]


async def test_a_customer_is_found_by_what_is_on_the_card(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        line = await road.database.read(lambda connection: find_esim(connection, session.esim_id))
        words = {
            str(line.iccid): "iccid",
            f" {str(line.iccid)[:6]} {str(line.iccid)[6:]} ": "iccid",
            str(line.imsi): "imsi",
            line.esim_id: "line",
            session.session_id: "session",
            ADA: "account",
        }
        for word, by in words.items():
            found = await road.database.read(partial(find_customers, word=word))
            assert [(it.user_id, it.by) for it in found] == [(ADA, by)], word
        for word in ("", "%", "x", "00", "nobody@example.ng", "8" * 19):
            assert await road.database.read(partial(find_customers, word=word)) == [], word


async def test_every_state_is_in_the_timeline_and_outlives_the_events(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, GB)
        await road.database.write(lambda connection: sign_out(connection, SUSI, ADA, "lost phone"))
        await road.database.write(lambda connection: connection.execute(text("DELETE FROM domain_event")))
        states = await road.database.read(lambda connection: timeline_of(connection, [session.session_id]))
        customer = await road.database.read(lambda connection: show_customer(connection, ADA))
        moments = await road.database.read(lambda connection: timeline(connection, customer))
    assert [str(it.state) for it in states] == [
        "ordered",
        "packaged",
        "downloading",
        "downloaded",
        "transferring",
        "stored",
        "active",
        "exhausted",
    ]
    assert {it.source for it in moments} == {"account", "session", "desk"}
    assert [it.at for it in moments] == sorted((it.at for it in moments), reverse=True)


async def test_a_new_recovery_code_replaces_the_old_one_and_is_in_no_trail(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:

        def code(connection: Connection, octet: int) -> str:
            return replace_recovery_code(connection, SUSI, ADA, "lost it", lambda size: bytes([octet] * size))

        codes = [await road.database.write(partial(code, octet=it)) for it in (1, 2)]
        trail = await road.database.read(actions)
        assert codes[0] != codes[1]
        assert not any(code in repr(it) for code in codes for it in trail)
        assert (await road.database.read(verify_trail)).findings == ()
        await road.database.write(lambda connection: forget_support_data(connection, ADA))


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [("+2348031234567", "+2348••••567"), ("ada@example.ng", "ad•••@example.ng"), ("+12", "•••")],
)
def test_masked_identifiers_keep_their_middle(identifier: str, shown: str) -> None:
    assert masked(identifier) == shown

"""The book follows the gateway: refunds and disputes there, late payments, lost webhooks, payouts with fees."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from kswifi.bootstrap.payment_metrics import PaymentMetrics
from kswifi.cli.main import app
from kswifi.payments.comparing import FindingKind
from kswifi.payments.errors import WebhookSignatureWrongError
from kswifi.payments.gateway_items import open_disputes, unclaimed_receipts
from kswifi.payments.job_handlers import prune_payments
from kswifi.payments.jobs import RECHECK_DAYS
from kswifi.payments.model import Payment, PaymentState
from kswifi.payments.ports import Window
from kswifi.payments.reconciliation import Reconciler, Report, ask_daily, findings_left
from kswifi.payments.rules import PassRules
from kswifi.payments.settling import take_back
from kswifi.payments.store import find_payment
from tests.support.databases import START
from tests.support.payments import ADA, DISPUTE_FEE, FACES, FEE, PRICE, SETTLED, Till, open_till, order, rehearsal

both = pytest.mark.parametrize("face", FACES)


async def reconcile(till: Till) -> Report:
    window = Window(START - timedelta(days=1), till.clock.now() + timedelta(days=1))
    return await Reconciler(till.database, till.rehearsal.gateway, PassRules()).run(window)


async def at_gateway(till: Till, payment: Payment, what: str, **told: Any) -> None:
    """Have something happen at the gateway without a webhook."""
    await till.rehearsal.control(f"charges/{payment.reference}/{what}", told)


async def refund_there(till: Till, payment: Payment, kobo: int, *, told: bool = False) -> None:
    await at_gateway(till, payment, "refund", amount_kobo=kobo, told=told)
    await at_gateway(till, payment, "settle-refund")


@both
@pytest.mark.parametrize("told", [True, False])
async def test_a_refund_in_part_reduces_the_income_and_the_pass_goes_on(
    tmp_path: Path, face: str, told: bool
) -> None:
    async with open_till(tmp_path, face, refund_seconds=None) as till:
        payment = await till.paid()
        await refund_there(till, payment, 40_000, told=told)
        if told:
            await till.rehearsal.told(2)
            await till.settle()
        else:
            assert await till.book() == SETTLED
            report = await reconcile(till)
            assert [it.kind for it in report.found] == [FindingKind.REFUNDED_THERE]
            assert not report.needs_a_person
        part = SETTLED | {"cash_at_gateway": PRICE - FEE - 40_000, "refunds": 40_000}
        assert await till.book() == part
        payment = await till.look(payment)
        assert (payment.state, payment.refund_kobo) == (PaymentState.SETTLED, 40_000)
        assert (await till.periods(ADA))[1]
        receipt = dict((await till.service.receipt(ADA, payment.reference, "ada@example.ng")).lines)
        assert receipt["Paid back"].startswith("NGN 400.00")
        assert (await reconcile(till)).found == ()
        assert await till.book() == part, "booked once"
        await refund_there(till, payment, 40_000)  # and the rest
        await reconcile(till)
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert not (await till.periods(ADA))[1]
        assert await till.book() == {"cash_at_gateway": -FEE, "gateway_fees": FEE}


@both
async def test_a_payer_who_asks_gets_only_what_is_left(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face, refund_seconds=None) as till:
        payment = await till.paid()
        await refund_there(till, payment, 30_000)
        await reconcile(till)
        await till.ask_refund(payment.reference)
        await till.database.write(
            lambda connection: take_back(
                connection, find_payment(connection, payment.reference), "nothing was used"
            )
        )
        assert (await till.book())["refunds_owed"] == -(PRICE - 30_000)
        await till.settle()
        await at_gateway(till, payment, "settle-refund")
        await till.later(timedelta(seconds=6))
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert await till.book() == {"cash_at_gateway": -FEE, "gateway_fees": FEE}


async def test_the_fee_that_a_payer_bore_is_ours_once_all_went_back(tmp_path: Path) -> None:
    async with open_till(tmp_path, "paystack", refund_seconds=None) as till:
        payment, paid = await till.begin(), PRICE + 1_218
        await till.rehearsal.pay(payment.reference, amount_kobo=paid)
        await till.rehearsal.told(1)
        await till.settle()
        fee = paid * 15 // 1000
        assert fee == paid - PRICE
        assert await till.book() == {"cash_at_gateway": PRICE, "deferred_revenue": -PRICE}
        await refund_there(till, payment, paid)
        await reconcile(till)
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert await till.book() == {"cash_at_gateway": -fee, "gateway_fees": fee}


@both
@pytest.mark.parametrize("claimed", [PRICE, 30_000])
async def test_a_lost_dispute_ends_the_pass_and_its_money_and_fee_are_booked(
    tmp_path: Path, face: str, claimed: int
) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.paid()
        await at_gateway(till, payment, "dispute", amount_kobo=claimed)
        await till.rehearsal.told(2)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.SETTLED
        assert await till.book() == SETTLED
        (dispute,) = await till.database.read(open_disputes)
        assert (dispute.reference, dispute.amount_kobo) == (payment.reference, claimed)
        assert dispute.due_at == START + timedelta(days=3)
        assert (await reconcile(till)).needs_a_person, "somebody answers it by then"
        await at_gateway(till, payment, "resolve-dispute", lost=True)
        await till.rehearsal.told(3)
        await till.settle()
        payment = await till.look(payment)
        assert (payment.state, payment.refund_kobo) == (PaymentState.REFUNDED, claimed)
        assert not (await till.periods(ADA))[1]
        assert await till.waiting("pass.end_sessions") == 1
        fee = DISPUTE_FEE if face == "sandbox" else 0
        kept = {} if claimed == PRICE else {"earned_revenue": claimed - PRICE}
        book = {"cash_at_gateway": PRICE - FEE - claimed - fee, "gateway_fees": FEE + fee}
        assert await till.book() == book | kept
        assert not (await reconcile(till)).needs_a_person


@both
async def test_a_dispute_that_is_won_changes_nothing(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.paid()
        await at_gateway(till, payment, "dispute", told=False)
        await reconcile(till)
        await at_gateway(till, payment, "resolve-dispute", lost=False, told=False)
        till.clock.advance(timedelta(days=40))
        window = Window(till.clock.now() - timedelta(days=1), till.clock.now())
        await Reconciler(till.database, till.rehearsal.gateway, PassRules()).run(window)
        assert await till.database.read(open_disputes) == [], "an open one is looked up, however old it is"
        assert (await till.look(payment)).state is PaymentState.SETTLED
        assert await till.book() == SETTLED


@both
async def test_paid_after_its_payment_was_deleted_is_held_until_a_person_refunds_it(
    tmp_path: Path, face: str
) -> None:
    async with open_till(tmp_path, face, refund_seconds=None) as till:
        payment = await till.begin()
        for _ in range(14):
            await till.later(timedelta(hours=1))
        till.clock.advance(timedelta(days=100))
        assert await prune_payments(till.database) == 1
        await till.rehearsal.pay(payment.reference)
        await till.rehearsal.told(1)
        await till.settle()
        held = {"cash_at_gateway": PRICE - FEE, "gateway_fees": FEE, "unassigned_receipts": -PRICE}
        assert await till.book() == held
        (one,) = await till.database.read(unclaimed_receipts)
        assert (one.reference, one.amount_kobo) == (payment.reference, PRICE)
        report = await reconcile(till)
        assert (report.found, report.needs_a_person) == ((), True)
        assert await till.periods(ADA) == ([], False)
        await refund_there(till, payment, PRICE)
        assert not (await reconcile(till)).needs_a_person
        assert await till.book() == {"cash_at_gateway": -FEE, "gateway_fees": FEE}


@both
async def test_a_payment_of_which_no_webhook_told_is_settled_by_the_list(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        late, deleted = await till.begin(), await till.begin(operation="x" * 8)
        assert late.reference == deleted.reference
        for _ in range(40):
            await till.later(timedelta(hours=6))
        assert await till.waiting("payment.look") == 0, "nobody looks any more"
        await till.rehearsal.pay(late.reference, tell_times=0)
        report = await reconcile(till)
        assert [it.kind for it in report.found] == [FindingKind.NOT_SETTLED_HERE]
        assert (await till.look(late)).state is PaymentState.SETTLED
        assert await till.book() == SETTLED


async def test_what_went_back_before_anybody_looked_is_not_granted(tmp_path: Path) -> None:
    async with open_till(tmp_path, "paystack", refund_seconds=None) as till:
        payment = await till.begin()
        await till.rehearsal.pay(payment.reference)  # its webhook will be worked below
        await at_gateway(till, payment, "refund", told=False)  # under way: verify still says success
        await till.rehearsal.told(1)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.REFUNDING
        assert await till.periods(ADA) == ([], False)
        await at_gateway(till, payment, "settle-refund")
        await till.later(timedelta(minutes=1))
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert await till.book() == {"cash_at_gateway": -FEE, "gateway_fees": FEE}


@both
async def test_payouts_are_booked_with_their_fees_and_those_that_do_not_add_up_are_not(
    tmp_path: Path, face: str
) -> None:
    async with open_till(tmp_path, face, refund_seconds=None) as till:
        payment = await till.paid()
        await refund_there(till, payment, 10_000)
        await till.rehearsal.control("settle")
        report = await reconcile(till)
        kinds = {it.kind for it in report.found}
        assert kinds == {FindingKind.REFUNDED_THERE, FindingKind.SETTLEMENT_NOT_BOOKED}
        assert not report.needs_a_person
        book = await till.book()
        assert "cash_at_gateway" not in book
        assert book["cash_at_bank"] == PRICE - FEE - 10_000
        await till.rehearsal.gateway.initialize(order("of-another-shop"))
        await till.rehearsal.pay("of-another-shop", tell_times=0)
        await till.rehearsal.control("settle")
        left = (await reconcile(till)).left
        assert [it.kind for it in left] == [FindingKind.SETTLEMENT_DIFFERS]
        assert "not ours" in (left[0].words or "")
        assert await till.book() == book


async def test_a_fee_that_was_booked_wrongly_is_corrected(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        payment = await till.paid()
        await till.database.write(
            lambda connection: connection.execute(text("UPDATE payment SET fees_kobo = 1000, paid_kobo = 80000"))
        )
        report = await reconcile(till)
        assert [(it.kind, it.here_kobo, it.there_kobo) for it in report.found] == [
            (FindingKind.FEE_DIFFERS, 1_000, FEE)
        ]
        assert not report.left
        assert (await till.look(payment)).fees_kobo == FEE
        book = await till.book()
        assert book["gateway_fees"] == FEE + 200  # the test has changed the note, not the book


async def test_what_the_gateway_does_not_know_needs_a_person(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        payment = await till.paid()
        await till.database.write(
            lambda connection: connection.execute(text("UPDATE payment SET paid_kobo = 70000"))
        )
        assert [it.kind for it in (await reconcile(till)).left] == [FindingKind.AMOUNT_DIFFERS]
        async with rehearsal("sandbox") as other:
            reconciler = Reconciler(till.database, other.gateway, PassRules())
            report = await reconciler.run(Window(START - timedelta(days=1), START + timedelta(days=1)))
        assert [(it.kind, it.reference) for it in report.left] == [(FindingKind.MISSING_THERE, payment.reference)]


async def test_the_daily_job_compares_yesterday_and_keeps_what_is_left(tmp_path: Path) -> None:
    async with open_till(tmp_path, refund_seconds=None) as till:
        payment = await till.paid()
        await refund_there(till, payment, 40_000)
        till.clock.advance(timedelta(days=1))
        for _ in range(3):
            assert await ask_daily(till.database, "sandbox") == 0
        assert await till.waiting("payment.reconcile") == len(RECHECK_DAYS)
        await till.settle()
        assert (await till.book())["refunds"] == 40_000
        await till.database.write(
            lambda connection: connection.execute(text("UPDATE payment SET paid_kobo = 70000"))
        )
        till.clock.advance(timedelta(days=1))
        await till.rehearsal.fault("list", "broken")
        await ask_daily(till.database, "sandbox")
        await till.settle()
        assert await till.waiting("payment.reconcile") == 1, "one list was not given: again later"
        await till.later(timedelta(minutes=1))
        left = await till.database.read(lambda connection: findings_left(connection, "sandbox"))
        assert [(it["kind"], it["day"]) for it in left] == [("amount_differs", START.date().isoformat())]


def test_the_command_says_what_needs_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave_one() -> str:
        async with open_till(tmp_path, refund_seconds=None) as till:
            payment = await till.paid()
            await till.database.write(
                lambda connection: connection.execute(text("UPDATE payment SET state = 'refund_refused'"))
            )
            return payment.reference

    asyncio.run(leave_one())
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    run = CliRunner().invoke
    assert "0 unclaimed" in run(app, ["payments", "unclaimed"]).output
    assert "in order" in str(run(app, ["payments", "reconcile", "--from", "2030-01-02"]).exception)
    assert "2026-11-30" in str(run(app, ["payments", "reconcile", "--to", "yesterday"]).exception)
    checked = json.loads(run(app, ["payments", "check", "--json"]).output)["payments"]
    assert (checked["disputes"], checked["unclaimed"], checked["differences"]) == ([], [], [])


@both
async def test_webhooks_are_counted_by_what_became_of_them(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        await till.paid()
        body, headers = till.rehearsal.webhooks[0]
        await till.service.take_webhook(face, body, headers)
        with capture_logs() as lines:
            for _ in range(3):
                with pytest.raises(WebhookSignatureWrongError):
                    await till.service.take_webhook(face, body + b" ", headers)
        assert [it["event"] for it in lines] == ["webhook_signature_wrong"] * 3
        shown = (await PaymentMetrics(till.database, till.service).text()).decode()
        for outcome, count in {"noted": 1, "repeated": 1, "signature_wrong": 3}.items():
            assert f'kswifi_payment_webhooks_total{{outcome="{outcome}"}} {count}.0' in shown
        assert 'kswifi_payments_need_a_person{kind="dispute"} 0.0' in shown

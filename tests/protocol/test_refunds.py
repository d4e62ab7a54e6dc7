"""Refunds and the days of a pass: sent back once, owed in the book until then, earned day by day."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.payments.errors import NotRefundableError
from kswifi.payments.job_handlers import prune_payments
from kswifi.payments.model import PaymentState
from kswifi.payments.settling import take_back
from kswifi.payments.store import find_payment
from tests.support.payments import ADA, FACES, FEE, PRICE, Till, open_till

both = pytest.mark.parametrize("face", FACES)


async def give_back(till: Till, reference: str) -> None:
    """Do as the sessions' part does once it has seen that nothing was used."""
    await till.database.write(
        lambda connection: take_back(connection, find_payment(connection, reference), "asked for")
    )


@pytest.mark.parametrize("wrong", ["", "no_answer", "never_arrived", "broken", "rate_limited", "unreadable"])
async def test_a_refund_is_sent_once_whatever_answers_are_lost(tmp_path: Path, wrong: str) -> None:
    async with open_till(tmp_path, answer_seconds=0.2) as till:
        payment = await till.paid()
        await till.ask_refund(payment.reference)
        assert (await till.periods(ADA))[1] is False  # suspended at once
        await give_back(till, payment.reference)
        owed = await till.book()
        assert (owed["refunds_owed"], "deferred_revenue" in owed) == (-PRICE, False)
        if wrong:
            await till.rehearsal.fault("refund", wrong)
        await till.settle()
        for _ in range(4):
            await till.later(timedelta(minutes=3))
            await asyncio.sleep(0.06)
        payment = await till.look(payment)
        assert payment.state is PaymentState.REFUNDED
        assert payment.refunded_at is not None
        assert await till.book() == {"cash_at_gateway": -FEE, "gateway_fees": FEE}
        charge = await till.rehearsal.gateway.verify(payment.reference)
        refunds = await till.rehearsal.gateway.refunds(charge)  # type: ignore[arg-type]
        assert [it.amount_kobo for it in refunds] == [PRICE]  # type: ignore[union-attr]
        assert (await till.ask_refund(payment.reference)).state is PaymentState.REFUNDED


async def test_a_refund_that_fails_waits_for_a_person_and_its_news(tmp_path: Path) -> None:
    async with open_till(tmp_path, refund_seconds=None) as till:
        payment = await till.paid()
        await till.ask_refund(payment.reference)
        await give_back(till, payment.reference)
        await till.settle()
        await till.rehearsal.control(f"charges/{payment.reference}/settle-refund", {"fails": True})
        await till.later(timedelta(seconds=6))
        assert (await till.look(payment)).state is PaymentState.REFUND_REFUSED
        assert (await till.book())["refunds_owed"] == -PRICE
        await till.rehearsal.control(f"charges/{payment.reference}/refund")  # by hand, at the gateway
        await till.rehearsal.control(f"charges/{payment.reference}/settle-refund")
        await till.rehearsal.told(3)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert "refunds_owed" not in await till.book()


@both
async def test_what_the_gateway_sends_back_by_itself_takes_the_pass_with_it(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.paid()
        await till.later(timedelta(days=2, hours=15))  # two days are earned by then
        assert (await till.book())["earned_revenue"] == -(PRICE * 2 // 7)
        paid = await till.service.receipt(ADA, payment.reference, "ada@example.ng")
        assert "The pass runs" in dict(paid.lines)
        await till.rehearsal.control(f"charges/{payment.reference}/refund")
        await till.rehearsal.told(2)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert (await till.periods(ADA)) == ([], False)
        told = dict((await till.service.receipt(ADA, payment.reference, "ada@example.ng")).lines)
        assert told["The pass"] == "Ended before its time"
        assert "The pass runs" not in told, "it runs no more"
        book = await till.book()
        assert book["refunds"] == PRICE * 2 // 7
        assert not {"refunds_owed", "deferred_revenue"} & set(book)


async def test_a_pass_is_earned_day_by_day_and_wholly(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.paid()
        earned = []
        for _ in range(10):
            await till.later(timedelta(days=1))
            earned.append(-(await till.book()).get("earned_revenue", 0))
        assert earned == [0, *(PRICE * day // 7 for day in range(1, 8)), PRICE, PRICE]
        assert "deferred_revenue" not in await till.book()


async def test_buying_twice_extends_from_the_end(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        first, second = await till.paid(), await till.paid()
        (one, two), active = await till.periods(ADA)
        assert active
        assert (one.reference, two.reference) == (first.reference, second.reference)
        assert two.starts_at == one.ends_at
        assert two.ends_at - two.starts_at == timedelta(days=7)
        with pytest.raises(NotRefundableError, match="a later payment"):
            await till.ask_refund(first.reference)
        await till.ask_refund(second.reference)
        assert (await till.periods(ADA))[1]  # the first goes on
        await till.later(timedelta(days=9))
        with pytest.raises(NotRefundableError, match="over"):
            await till.ask_refund(first.reference)
        unpaid = await till.begin()
        with pytest.raises(NotRefundableError, match="pending"):
            await till.ask_refund(unpaid.reference)


async def test_paid_and_sent_back_before_anybody_looked(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        payment = await till.begin()
        await till.rehearsal.pay(payment.reference, tell_times=0)
        await till.rehearsal.control(f"charges/{payment.reference}/refund")
        await till.rehearsal.told(1)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert await till.periods(ADA) == ([], False)
        assert await till.book() == {"cash_at_gateway": -FEE, "gateway_fees": FEE}


async def test_sent_back_by_the_gateway_while_its_payer_asks(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        payment = await till.paid()
        await till.ask_refund(payment.reference)
        await till.rehearsal.control(f"charges/{payment.reference}/refund")
        await till.rehearsal.told(2)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert "refunds_owed" not in await till.book()


async def test_what_was_never_paid_is_forgotten_after_ninety_days(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        paid, unpaid = await till.paid(), await till.begin()
        for _ in range(20):
            await till.later(timedelta(days=5))
        assert await prune_payments(till.database) == 1
        assert await prune_payments(till.database) == 0
        assert [it.reference for it in (await till.service.payments(ADA)).items] == [paid.reference]
        assert unpaid.reference != paid.reference


def test_a_person_sends_it_back_from_the_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse_refund() -> str:
        async with open_till(tmp_path, refund_seconds=None) as till:
            payment = await till.paid()
            await till.ask_refund(payment.reference)
            await give_back(till, payment.reference)
            await till.settle()
            await till.rehearsal.control(f"charges/{payment.reference}/settle-refund", {"fails": True})
            await till.later(timedelta(seconds=6))
            assert (await till.look(payment)).state is PaymentState.REFUND_REFUSED
        return payment.reference

    reference = asyncio.run(refuse_refund())
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    assert f"SEND BACK      {reference}: 80000 kobo" in CliRunner().invoke(app, ["payments", "check"]).output
    done = CliRunner().invoke(app, ["payments", "sent-back", reference])
    assert "80000 kobo, sent back by hand" in done.output
    assert "refunded" in str(CliRunner().invoke(app, ["payments", "sent-back", reference]).exception)
    book = CliRunner().invoke(app, ["books", "verify", "--json"])
    standing = {name: kobo for name, kobo in json.loads(book.output)["balances_kobo"].items() if kobo}
    assert standing == {"cash_at_gateway": PRICE - FEE, "cash_at_bank": -PRICE, "gateway_fees": FEE}

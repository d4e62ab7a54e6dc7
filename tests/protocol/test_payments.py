"""Payments behind a gateway over HTTP: paid, granted and booked once, whatever is lost, late, twice or wrong."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from kswifi.accounts.kyc import set_kyc_level
from kswifi.catalogue.model import Offer
from kswifi.catalogue.service import Catalogue
from kswifi.free_data.errors import KycLevelTooLowError
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.service import FreeData
from kswifi.kernel.quantities import Kobo, Octets
from kswifi.payments.errors import (
    NothingToDeliverError,
    NothingToPayError,
    NotTheGatewayInUseError,
    PaymentNotOpenedError,
    PaymentsError,
    TooManyOpenPaymentsError,
    UnknownPaymentError,
)
from kswifi.payments.model import PassState, PaymentState
from kswifi.payments.rules import PassRules
from kswifi.payments.settling import follow
from kswifi.payments.sql import pass_period
from kswifi.payments.standing import look_up
from tests.support.databases import START
from tests.support.payments import ADA, BOLA, FACES, FEE, PRICE, SETTLED, Till, open_till, order

both = pytest.mark.parametrize("face", FACES)


async def periods(till: Till) -> int:
    return await till.database.read(
        lambda connection: int(connection.scalar(select(func.count()).select_from(pass_period)) or 0)
    )


@both
async def test_a_payment_told_by_webhook_is_verified_granted_and_booked(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.begin(operation="one")
        assert (payment.reference, payment.state) == ("kswifi-one", PaymentState.PENDING)
        assert payment.checkout_url is not None
        assert payment.checkout_url.startswith(till.rehearsal.origin)
        assert payment.sandbox
        assert await till.book() == {}
        await till.rehearsal.pay(payment.reference)
        await till.rehearsal.told(1)
        await till.settle()
        payment = await till.look(payment)
        assert (payment.state, payment.paid_kobo, payment.fees_kobo) == (PaymentState.SETTLED, PRICE, FEE)
        assert await till.book() == SETTLED
        (period,), active = await till.periods(ADA)
        assert active
        assert (period.starts_at, period.valid_days, period.state) == (START, 7, PassState.GRANTED)
        # 23 November in Lagos, and seven days more: all of the 30th.
        assert period.ends_at.isoformat() == "2026-11-30T23:00:00+00:00"


@both
async def test_what_no_webhook_told_is_found_by_looking(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.begin()
        await till.rehearsal.pay(payment.reference, tell_times=0)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.PENDING
        await till.later(timedelta(seconds=11))
        assert (await till.look(payment)).state is PaymentState.SETTLED
        assert await till.book() == SETTLED


@both
async def test_a_webhook_replayed_a_thousand_times_grants_once(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.paid()
        body, headers = till.rehearsal.webhooks[0]
        for _ in range(1_000):
            await till.service.take_webhook(face, body, headers)
        await till.settle()
        assert await periods(till) == 1
        assert await till.book() == SETTLED
        await till.rehearsal.control(f"charges/{payment.reference}/tell", {"times": 50})
        await till.rehearsal.told(51)
        await till.settle()
        assert await periods(till) == 1
        assert await till.book() == SETTLED
        rows = await till.database.read(
            lambda connection: connection.scalar(
                text("SELECT count(*) FROM outbox_entry WHERE kind = 'payment.notice'")
            )
        )
        assert rows == 1


@both
async def test_a_payment_is_granted_once_whichever_report_comes_first(tmp_path: Path, face: str) -> None:
    """Webhook, look and the payer's own questions at once, by two workers."""
    async with open_till(tmp_path, face) as till:
        for number in range(3):
            payment = await till.begin(operation=f"race-{number}")
            told = len(till.rehearsal.webhooks)
            await till.rehearsal.pay(payment.reference, tell_times=3)
            await till.rehearsal.told(told + 3)
            till.clock.advance(timedelta(seconds=11))
            other = Till(till.clock, till.database, till.service, till.handlers, till.rehearsal)
            standing = await look_up(till.rehearsal.gateway, payment.reference)

            async def apply(standing: Any = standing, reference: str = payment.reference) -> None:
                await till.database.write(
                    lambda connection: follow(connection, reference, standing, till.service.rules)
                )

            await asyncio.gather(till.settle(), other.settle(), *(apply() for _ in range(5)))
            assert (await till.look(payment)).state is PaymentState.SETTLED
        assert await periods(till) == 3
        assert await till.book() == {account: 3 * kobo for account, kobo in SETTLED.items()}


async def test_the_same_operation_is_one_payment(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        first = await till.begin(operation="one")
        assert await till.begin(operation="one") == first
        with pytest.raises(UnknownPaymentError):
            await till.service.payment(BOLA, first.reference)
        with pytest.raises(UnknownPaymentError):
            await till.service.payment(ADA, "x" * 500)
        with pytest.raises(NothingToPayError):
            await till.service.begin(ADA, "free-1gb", "two")


async def test_only_so_many_payments_are_open_at_a_time(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        passes = [
            Offer(f"pass-{days}", f"{days} days", Octets(days * 10**9), Kobo(PRICE), days) for days in range(1, 7)
        ]
        till.service._catalogue = Catalogue(passes)
        for offer in passes[:5]:
            await till.service.begin(ADA, offer.id, offer.id)
        with pytest.raises(TooManyOpenPaymentsError):
            await till.service.begin(ADA, passes[5].id, "one-too-many")
        assert (await till.service.begin(BOLA, passes[0].id, "of-another-user")).state is PaymentState.PENDING
        assert len((await till.service.payments(ADA)).items) == 5


async def test_an_open_checkout_is_handed_out_again(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        first = await till.begin(operation="one")
        till.clock.advance(timedelta(minutes=90))
        assert await till.begin(operation="two") == first
        assert (await till.begin(BOLA, operation="three")).reference != first.reference
        await till.rehearsal.control(f"charges/{first.reference}/decline")
        await till.settle()
        assert (await till.look(first)).state is PaymentState.FAILED
        assert (await till.begin(operation="four")).checkout_url == first.checkout_url
        till.clock.advance(timedelta(minutes=31))  # the checkout has had its two hours
        assert (await till.begin(operation="five")).reference == "kswifi-five"


async def test_an_intent_that_another_request_opens_is_not_opened_twice(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.rehearsal.fault("initialize", "broken")
        assert (await till.begin(operation="one")).state is PaymentState.INTENDED
        again = await till.begin(operation="two")
        assert (again.reference, again.state) == ("kswifi-one", PaymentState.INTENDED)
        await till.later(timedelta(seconds=46))
        assert (await till.look(again)).state is PaymentState.PENDING


@pytest.mark.parametrize("old_first", [True, False])
async def test_a_second_payment_from_an_old_tab_goes_back_by_itself(tmp_path: Path, old_first: bool) -> None:
    async with open_till(tmp_path) as till:
        old = await till.begin()
        await till.later(timedelta(hours=3))
        new = await till.begin()
        assert new.reference != old.reference
        till.clock.advance(timedelta(minutes=1))
        for number, payment in enumerate((old, new) if old_first else (new, old)):
            await till.rehearsal.pay(payment.reference)
            await till.rehearsal.told(number + 1)
            await till.settle()
        await till.rehearsal.told(3)  # the refund has arrived
        await till.settle()
        states = {(await till.look(it)).state for it in (old, new)}
        assert states == {PaymentState.SETTLED, PaymentState.REFUNDED}
        assert await periods(till) == 1
        assert await till.book() == SETTLED | {
            "cash_at_gateway": PRICE - 2 * FEE,
            "gateway_fees": 2 * FEE,
        }
        till.clock.advance(timedelta(minutes=1))
        again = await till.begin()  # begun after the last was paid: it is meant
        await till.rehearsal.pay(again.reference)
        await till.rehearsal.told(4)
        await till.settle()
        assert (await till.look(again)).state is PaymentState.SETTLED


@pytest.mark.parametrize(
    ("wrong", "after", "seconds"),
    [
        ("no_answer", PaymentState.FAILED, 46),  # it was opened, and nobody knows where: none can have paid there
        ("unreadable", PaymentState.FAILED, 46),
        ("never_arrived", PaymentState.PENDING, 46),
        ("rate_limited", PaymentState.PENDING, 46),
        ("broken", PaymentState.PENDING, 46),
    ],
)
async def test_an_opening_without_an_answer_is_made_up_for(
    tmp_path: Path, wrong: str, after: PaymentState, seconds: int
) -> None:
    async with open_till(tmp_path, answer_seconds=0.2) as till:
        await till.rehearsal.fault("initialize", wrong)
        payment = await till.begin()
        assert (payment.state, payment.checkout_url) == (PaymentState.INTENDED, None)
        await till.later(timedelta(seconds=seconds))
        payment = await till.look(payment)
        assert payment.state is after
        assert (payment.checkout_url is None) == (after is PaymentState.FAILED)
        assert await till.book() == {}


async def test_a_request_that_died_after_its_intent_is_opened_in_the_background(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:

        async def die(*_: object) -> None:
            raise asyncio.CancelledError

        real = till.service._opening.open
        till.service._opening.open = die  # type: ignore[method-assign, assignment]
        with pytest.raises(asyncio.CancelledError):
            await till.begin(operation="one")
        till.service._opening.open = real  # type: ignore[method-assign]
        assert (await till.service.payment(ADA, "kswifi-one")).state is PaymentState.INTENDED
        await till.later(timedelta(seconds=46))
        assert (await till.service.payment(ADA, "kswifi-one")).state is PaymentState.PENDING


async def test_a_gateway_that_never_answers_is_given_up(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.rehearsal.fault("initialize", "broken", times=50)
        payment = await till.begin()
        for _ in range(8):
            await till.later(timedelta(hours=1))
        payment = await till.look(payment)
        assert payment.state is PaymentState.LAPSED
        assert await till.waiting("payment.open") == 0


async def test_a_refused_opening_says_so_and_again(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        till.rehearsal.gateway._http._client.headers["Authorization"] = "Bearer wrong"  # type: ignore[attr-defined]
        for _ in range(2):
            with pytest.raises(PaymentNotOpenedError, match="nothing was taken"):
                await till.begin(operation="one")
        assert (await till.service.payment(ADA, "kswifi-one")).state is PaymentState.FAILED


@both
async def test_nobody_pays_and_it_lapses_and_paid_after_all_it_settles(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.begin()
        for _ in range(14):
            await till.later(timedelta(hours=1))
        assert (await till.look(payment)).state is PaymentState.LAPSED
        assert await till.waiting("payment.look") == 1
        await till.rehearsal.pay(payment.reference, tell_times=0)
        await till.later(timedelta(days=1))
        assert (await till.look(payment)).state is PaymentState.SETTLED
        assert await till.book() == SETTLED
        unpaid = await till.begin()
        for _ in range(40):
            await till.later(timedelta(hours=6))
        assert await till.waiting("payment.look") == 0
        assert (await till.look(unpaid)).state is PaymentState.LAPSED


@both
async def test_declined_and_then_paid_in_the_same_checkout(tmp_path: Path, face: str) -> None:
    async with open_till(tmp_path, face) as till:
        payment = await till.begin()
        await till.rehearsal.control(f"charges/{payment.reference}/decline")
        await till.later(timedelta(seconds=11))
        assert (await till.look(payment)).state is PaymentState.FAILED
        await till.rehearsal.pay(payment.reference)
        await till.later(timedelta(seconds=30))
        assert (await till.look(payment)).state is PaymentState.SETTLED
        assert await periods(till) == 1


@pytest.mark.parametrize(
    ("told", "words", "book"),
    [
        ({"amount_kobo": PRICE - 1}, "79999 kobo were paid", True),
        ({"amount_kobo": PRICE // 100}, "800 kobo were paid", True),
        ({"currency": "USD"}, "paid in USD", False),
    ],
)
async def test_what_was_not_asked_for_grants_nothing_and_goes_back(
    tmp_path: Path, told: dict[str, object], words: str, book: bool
) -> None:
    async with open_till(tmp_path) as till:
        payment = await till.begin()
        await till.rehearsal.pay(payment.reference, **told)
        await till.rehearsal.told(1)
        await till.settle()
        owed = "refunds_owed" in await till.book()
        payment = await till.look(payment)
        assert payment.state in (PaymentState.REFUNDING, PaymentState.REFUNDED)  # its webhook may be here by now
        assert words in (payment.reason or "")
        assert await periods(till) == 0
        assert owed == book or payment.state is PaymentState.REFUNDED
        await till.rehearsal.told(2)  # the refund has arrived
        await till.settle()
        await till.later(timedelta(seconds=6))
        payment = await till.look(payment)
        assert payment.state is PaymentState.REFUNDED
        left = await till.book()
        assert set(left) <= {"gateway_fees", "cash_at_gateway"}  # the fee is lost
        assert sum(left.values()) == 0


async def test_nobody_is_left_to_give_it_to(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        payment = await till.begin()
        await till.database.write(
            lambda connection: connection.execute(
                text("UPDATE user_account SET email = 'x@deleted.invalid' WHERE user_id = :id"), {"id": ADA}
            )
        )
        await till.rehearsal.pay(payment.reference)
        await till.rehearsal.told(1)
        await till.settle()
        payment = await till.look(payment)
        assert payment.state in (PaymentState.REFUNDING, PaymentState.REFUNDED)  # its webhook may be here by now
        assert payment.reason == "its payer's account was deleted"
        assert await periods(till) == 0


async def test_webhooks_of_nothing_of_ours_are_taken_and_change_nothing(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.rehearsal.gateway.initialize(order("somebody-elses"))
        await till.rehearsal.pay("somebody-elses")
        await till.rehearsal.told(1)
        await till.settle()
        assert await till.waiting("payment.notice") == 0
        body, headers = till.rehearsal.webhooks[0]
        with pytest.raises(NotTheGatewayInUseError):
            await till.service.take_webhook("paystack", body, headers)


async def test_payers_without_an_email_pay_too(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        assert (await till.paid(BOLA)).state is PaymentState.SETTLED
        receipt = await till.service.receipt(
            BOLA, (await till.service.payments(BOLA)).items[0].reference, "+2348031234567"
        )
        assert receipt.sandbox
        assert ("Paid", "NGN 800.00") in receipt.lines


async def test_what_cannot_be_provided_is_not_sold_and_goes_back_by_itself(tmp_path: Path) -> None:
    left = [True]

    def obstacle(_connection: Connection) -> str | None:
        return None if left[0] else "there is no number left"

    async with open_till(tmp_path, rules=PassRules(obstacle=obstacle)) as till:
        payment = await till.begin()
        left[0] = False
        with pytest.raises(NothingToDeliverError, match="nothing was taken"):
            await till.begin(BOLA)
        await till.rehearsal.pay(payment.reference)
        await till.rehearsal.told(1)
        await till.settle()
        assert (await till.look(payment)).reason == "there is no number left"
        await till.rehearsal.told(2)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert await periods(till) == 0


async def test_nothing_is_sold_to_who_may_not_buy(tmp_path: Path) -> None:
    def require_identified(connection: Connection, user_id: str) -> None:
        FreeData(till.database, Marks(bytes(32)), FreeDataRules(kyc_level=1)).require_identified(
            connection, user_id
        )

    async with open_till(tmp_path, rules=PassRules(require_buyer=require_identified)) as till:
        with pytest.raises(KycLevelTooLowError):
            await till.begin()
        assert (await till.service.payments(ADA)).items == []
        await till.database.write(lambda connection: set_kyc_level(connection, ADA, 1))
        assert (await till.begin(operation="again")).state is PaymentState.PENDING


async def test_a_grant_that_fails_leaves_nothing_half_done_and_the_money_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise PaymentsError("the grant failed")

    async with open_till(tmp_path) as till:
        payment = await till.begin()
        monkeypatch.setattr("kswifi.payments.settling.grant_pass", fails)
        await till.rehearsal.pay(payment.reference)
        await till.rehearsal.told(1)
        await till.settle()
        payment = await till.look(payment)
        assert payment.reason == "it could not be provided: the grant failed"
        await till.rehearsal.told(2)
        await till.settle()
        assert (await till.look(payment)).state is PaymentState.REFUNDED
        assert await till.book() == {"cash_at_gateway": -FEE, "gateway_fees": FEE}


async def test_a_busy_gateway_is_not_asked_sooner_than_it_says(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        payment = await till.begin()
        await till.rehearsal.pay(payment.reference, tell_times=0)
        await till.rehearsal.fault("verify", "rate_limited", seconds=60)
        await till.later(timedelta(seconds=11))
        await till.later(timedelta(seconds=50))
        assert (await till.look(payment)).state is PaymentState.PENDING
        await till.later(timedelta(seconds=15))
        assert (await till.look(payment)).state is PaymentState.SETTLED

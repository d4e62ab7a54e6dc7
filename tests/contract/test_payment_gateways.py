"""One contract for every payment gateway: ours and Paystack's, each over real HTTP, with all that can go wrong."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kswifi.payments.errors import WebhookSignatureWrongError, WebhookUnreadableError
from kswifi.payments.ports import (
    Charge,
    ChargeStatus,
    Checkout,
    DisputeStatus,
    GatewayRefused,
    GatewayUnknown,
    PaymentGateway,
    Refund,
    RefundStatus,
    RefusalKind,
    Settlement,
    SettlementStatus,
    Window,
)
from kswifi.payments.reconciliation import day_window
from kswifi.payments.sql import INSTRUMENT_LENGTH
from tests.support.clocks import ManualClock
from tests.support.databases import START
from tests.support.payments import FACES, FEE, PRICE, SECRET, gateway_at, order, rehearsal

EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

pytestmark = pytest.mark.parametrize("face", FACES)


async def charge_of(gateway: PaymentGateway, reference: str = "r-1") -> Charge:
    found = await gateway.verify(reference)
    assert isinstance(found, Charge), found
    return found


def figures(found: object) -> list[tuple[str, int]]:
    """Return status and amount of refunds or disputes, each of which must have an id and say whose it is."""
    assert isinstance(found, tuple), found
    for it in found:
        assert it.reference is not None
        assert it.refund_id if isinstance(it, Refund) else it.dispute_id
    return [(it.status, it.amount_kobo) for it in found]


async def test_a_payment_from_its_opening_to_its_refund(face: str) -> None:
    async with rehearsal(face, refund_seconds=None) as there:
        gateway = there.gateway
        assert gateway.name == face
        assert gateway.sandbox
        opened = await gateway.initialize(order("r-1"))
        assert isinstance(opened, Checkout)
        assert "SANDBOX" in (await there.client.get(opened.url)).text
        before = await charge_of(gateway)
        assert (before.status, before.amount_kobo, before.currency) == (ChargeStatus.OPEN, PRICE, "NGN")
        assert before.fees_kobo == 0
        await there.pay("r-1")
        paid = await charge_of(gateway)
        assert (paid.reference, paid.status, paid.amount_kobo) == ("r-1", ChargeStatus.PAID, PRICE)
        assert paid.fees_kobo == FEE
        assert paid.paid_at is not None
        assert before.instrument is None
        assert paid.instrument is not None
        assert len(paid.instrument) <= INSTRUMENT_LENGTH
        await there.told(1)
        notice = gateway.read_webhook(*there.webhooks[0])
        assert notice is not None
        assert notice.reference == "r-1"
        assert await gateway.refunds(paid) == ()
        asked = await gateway.refund(paid, PRICE)
        assert isinstance(asked, Refund)
        assert (asked.status, asked.amount_kobo) == (RefundStatus.UNDER_WAY, PRICE)
        await there.control("charges/r-1/settle-refund")
        assert figures(await gateway.refunds(paid)) == [(RefundStatus.DONE, PRICE)]
        await there.told(2)
        notice = gateway.read_webhook(*there.webhooks[1])
        assert notice is not None
        assert notice.reference == "r-1"
        assert (await charge_of(gateway)).status is ChargeStatus.REVERSED


async def test_a_reference_is_opened_once_and_one_never_opened_is_unknown(face: str) -> None:
    async with rehearsal(face) as there:
        unknown = await there.gateway.verify("r-1")
        assert isinstance(unknown, GatewayRefused)
        assert unknown.kind is RefusalKind.UNKNOWN_REFERENCE
        assert isinstance(await there.gateway.initialize(order("r-1")), Checkout)
        again = await there.gateway.initialize(order("r-1", 5))
        assert isinstance(again, GatewayRefused)
        assert again.kind is RefusalKind.DUPLICATE_REFERENCE
        assert (await charge_of(there.gateway)).amount_kobo == PRICE


async def test_a_declined_card_may_be_tried_again(face: str) -> None:
    async with rehearsal(face) as there:
        await there.gateway.initialize(order("r-1"))
        await there.control("charges/r-1/decline")
        assert (await charge_of(there.gateway)).status is ChargeStatus.DECLINED
        await there.pay("r-1")
        assert (await charge_of(there.gateway)).status is ChargeStatus.PAID


async def test_more_than_was_paid_is_not_refunded(face: str) -> None:
    async with rehearsal(face, refund_seconds=None) as there:
        await there.gateway.initialize(order("r-1"))
        before = await charge_of(there.gateway)
        assert isinstance(await there.gateway.refund(before, PRICE), GatewayRefused)
        await there.pay("r-1")
        paid = await charge_of(there.gateway)
        assert isinstance(await there.gateway.refund(paid, PRICE), Refund)
        assert isinstance(await there.gateway.refund(paid, 1), GatewayRefused)
        refunds = await there.gateway.refunds(paid)
        assert isinstance(refunds, tuple)
        assert len(refunds) == 1


async def test_a_refund_that_fails_says_so(face: str) -> None:
    async with rehearsal(face, refund_seconds=None) as there:
        await there.gateway.initialize(order("r-1"))
        await there.pay("r-1")
        paid = await charge_of(there.gateway)
        await there.gateway.refund(paid, PRICE)
        await there.control("charges/r-1/settle-refund", {"fails": True})
        assert figures(await there.gateway.refunds(paid)) == [(RefundStatus.FAILED, PRICE)]
        assert (await charge_of(there.gateway)).status is ChargeStatus.PAID


@pytest.mark.parametrize("wrong", ["no_answer", "never_arrived", "rate_limited", "broken", "unreadable"])
async def test_what_is_no_answer_is_unknown_at_every_call(face: str, wrong: str) -> None:
    async with rehearsal(face, answer_seconds=0.15, refund_seconds=None) as there:
        gateway = there.gateway
        await gateway.initialize(order("paid"))
        await there.pay("paid", tell_times=0)
        paid = await charge_of(gateway, "paid")
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "initialize": lambda: gateway.initialize(order("r-1")),
            "verify": lambda: gateway.verify("paid"),
            "refund": lambda: gateway.refund(paid, PRICE),
            "refunds": lambda: gateway.refunds(paid),
            "disputes": lambda: gateway.disputes(paid),
        }
        for call, ask in calls.items():
            await there.fault(call, wrong)
            answer = await ask()
            assert isinstance(answer, GatewayUnknown), (call, answer)
            assert answer.retry_after_seconds == (1 if wrong == "rate_limited" else None)
        lists: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: gateway.list_transactions(EVER),
            lambda: gateway.list_refunds(EVER),
            lambda: gateway.list_disputes(EVER),
            lambda: gateway.list_settlements(EVER),
            lambda: gateway.settlement_transactions("1"),
        )
        for number, ask in enumerate(lists):
            await there.fault("list", wrong)
            answer = await ask()
            assert isinstance(answer, GatewayUnknown), (number, answer)
        done = wrong in ("no_answer", "unreadable")
        again = await gateway.initialize(order("r-1"))
        assert isinstance(again, GatewayRefused if done else Checkout)
        refunds = await gateway.refunds(paid)
        assert isinstance(refunds, tuple)
        assert len(refunds) == (1 if done else 0)


async def test_a_late_answer_is_an_answer(face: str) -> None:
    async with rehearsal(face) as there:
        await there.fault("initialize", "late", seconds=0.2)
        assert isinstance(await there.gateway.initialize(order("r-1")), Checkout)


async def test_fields_that_changed_are_read_or_unknown_but_never_misread(face: str) -> None:
    async with rehearsal(face, refund_seconds=None) as there:
        gateway = there.gateway
        for call in ("initialize", "verify", "refund", "refunds"):
            await there.fault(call, "changed_fields")
        assert isinstance(await gateway.initialize(order("r-1")), Checkout)
        await there.pay("r-1")
        charge = await gateway.verify("r-1")
        assert isinstance(charge, Charge)
        assert (charge.status, charge.amount_kobo, charge.currency) == (ChargeStatus.PAID, PRICE, "NGN")
        paid = await charge_of(gateway)
        assert figures((await gateway.refund(paid, PRICE),)) == [(RefundStatus.UNDER_WAY, PRICE)]
        assert figures(await gateway.refunds(paid)) == [(RefundStatus.UNDER_WAY, PRICE)]


async def test_a_wrong_key_is_refused_and_check_says_it(face: str) -> None:
    async with rehearsal(face) as there:
        assert await there.gateway.check() is None
        stranger = gateway_at(face, there.origin)
        stranger._http._client.headers["Authorization"] = "Bearer sk_test_another-key"  # type: ignore[attr-defined]
        assert isinstance(await stranger.initialize(order("r-1")), GatewayRefused)
        assert await stranger.check() is not None
        await stranger.close()
        nobody = gateway_at(face, "http://127.0.0.1:9", 0.5)
        assert isinstance(await nobody.verify("r-1"), GatewayUnknown)
        assert "did not answer" in (await nobody.check() or "")
        await nobody.close()


async def test_only_what_the_gateway_signed_is_read(face: str) -> None:
    async with rehearsal(face) as there:
        gateway = there.gateway
        await gateway.initialize(order("r-1"))
        await there.pay("r-1")
        await there.told(1)
        body, headers = there.webhooks[0]
        signature = next(name for name in headers if name.endswith("-signature"))
        assert gateway.read_webhook(body, headers) is not None
        as_json_again = json.dumps(json.loads(body), separators=(", ", ": ")).encode()
        forged = {
            "changed by one bit": (bytes([body[0] ^ 1]) + body[1:], headers),
            "the same, written anew": (as_json_again, headers),
            "longer": (body + b" ", headers),
            "no signature": (body, {name: it for name, it in headers.items() if name != signature}),
            "an empty one": (body, headers | {signature: ""}),
            "half of it": (body, headers | {signature: headers[signature][:64]}),
            "not even ASCII": (body, headers | {signature: "é" * 128}),
        }
        for words, (octets, with_headers) in forged.items():
            with pytest.raises(WebhookSignatureWrongError):
                pytest.fail(f"{words}: {gateway.read_webhook(octets, with_headers)}")


async def test_what_is_signed_and_unreadable_is_refused(face: str) -> None:
    async with rehearsal(face) as there:
        header = "x-paystack-signature" if face == "paystack" else "x-kswifi-sandbox-signature"
        for body in (
            b"",
            b"[]",
            b"{}",
            b"null",
            b'{"event": 5, "data": {}, "reference": 7}',
            b"[" * 9_000,
            b"\xff",
        ):
            signature = hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest()
            with pytest.raises(WebhookUnreadableError):
                there.gateway.read_webhook(body, {header: signature})


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00 and more", "a\\u0000b"])
async def test_text_that_cannot_be_kept_is_unreadable(face: str, text: str) -> None:
    async with rehearsal(face) as there:
        header = "x-paystack-signature" if face == "paystack" else "x-kswifi-sandbox-signature"
        body = f'{{"event": "charge.success", "reference": "{text}", "data": {{"reference": "{text}"}}}}'.encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest()
        with pytest.raises(WebhookUnreadableError):
            there.gateway.read_webhook(body, {header: signature})


@pytest.mark.parametrize("lost", [True, False])
async def test_a_dispute_from_its_opening_to_its_end(face: str, lost: bool) -> None:
    async with rehearsal(face) as there:
        gateway = there.gateway
        await gateway.initialize(order("r-1"))
        await there.pay("r-1")
        paid = await charge_of(gateway)
        assert await gateway.disputes(paid) == ()
        await there.control("charges/r-1/dispute")
        await there.told(2)
        notice = gateway.read_webhook(*there.webhooks[1])
        assert notice is not None
        assert notice.reference == "r-1"
        disputes = await gateway.disputes(paid)
        assert figures(disputes) == [(DisputeStatus.OPEN, PRICE)]
        assert disputes[0].due_at is not None  # type: ignore[index]
        assert isinstance(await gateway.refund(paid, 1), GatewayRefused), "it is disputed already"
        await there.control("charges/r-1/resolve-dispute", {"lost": lost})
        await there.told(3)
        status = DisputeStatus.LOST if lost else DisputeStatus.WON
        assert figures(await gateway.disputes(paid)) == [(status, PRICE)]
        assert figures(await gateway.list_disputes(EVER)) == [(status, PRICE)]
        after = ChargeStatus.REVERSED if lost else ChargeStatus.PAID
        assert (await charge_of(gateway)).status is after


async def test_lists_are_whole_and_of_their_time(face: str) -> None:
    clock = ManualClock(START)
    async with rehearsal(face, refund_seconds=None, clock=clock) as there:
        gateway = there.gateway
        for number in range(120):  # more than a page
            await gateway.initialize(order(f"r-{number}"))
        clock.advance(timedelta(days=1))
        await gateway.initialize(order("later"))
        await there.pay("later", tell_times=0)
        for kobo in (30_000, 20_000):
            await there.control("charges/later/refund", {"amount_kobo": kobo, "told": False})
            await there.control("charges/later/settle-refund")
        first, second = day_window(START.date()), day_window(START.date() + timedelta(days=1))
        listed = await gateway.list_transactions(first)
        assert isinstance(listed, tuple)
        assert {it.reference for it in listed} == {f"r-{number}" for number in range(120)}
        assert len(listed) == 120
        (later,) = await gateway.list_transactions(second)  # type: ignore[misc]
        assert later == await charge_of(gateway, "later")
        assert await gateway.list_refunds(first) == ()
        done = [(RefundStatus.DONE, 20_000), (RefundStatus.DONE, 30_000)]
        assert sorted(figures(await gateway.list_refunds(second))) == done
        assert there.webhooks == []
        await there.fault("list", "changed_fields", times=9)
        changed = await gateway.list_transactions(first)
        assert isinstance(changed, tuple), changed
        assert len(changed) == 120, "the list ends with an empty page where the number of pages is not told"


async def test_a_payout_is_what_was_processed_less_fees_and_what_went_back(face: str) -> None:
    async with rehearsal(face, refund_seconds=None) as there:
        gateway = there.gateway
        for number in range(3):
            await gateway.initialize(order(f"r-{number}"))
        await there.pay("r-0")
        await there.pay("r-1")
        await there.control("charges/r-0/refund", {"amount_kobo": 10_000})
        await there.control("charges/r-0/settle-refund")
        await there.control("settle")
        (payout,) = await gateway.list_settlements(EVER)  # type: ignore[misc]
        assert isinstance(payout, Settlement)
        assert payout.status is SettlementStatus.PAID_OUT
        assert (payout.processed_kobo, payout.fees_kobo, payout.deductions_kobo) == (2 * PRICE, 2 * FEE, 10_000)
        assert payout.paid_out_kobo == 2 * PRICE - 2 * FEE - 10_000
        charges = await gateway.settlement_transactions(payout.settlement_id)
        assert isinstance(charges, tuple)
        assert {it.reference for it in charges} == {"r-0", "r-1"}
        await there.control("settle")
        assert await gateway.list_settlements(EVER) == (payout,), "nothing is paid out twice"
        assert isinstance(await gateway.settlement_transactions("999"), GatewayRefused)


async def test_the_gateway_forgets_nothing_over_a_restart(face: str, tmp_path: Path) -> None:
    file = tmp_path / "charges.db"
    async with rehearsal(face, file) as there:
        await there.gateway.initialize(order("r-1"))
        await there.pay("r-1")
    async with rehearsal(face, file) as there:
        assert (await charge_of(there.gateway)).status is ChargeStatus.PAID
        assert isinstance(await there.gateway.initialize(order("r-1")), GatewayRefused)


async def test_the_buttons_of_the_checkout_page(face: str) -> None:
    async with rehearsal(face) as there:
        for number, (action, status, webhooks) in enumerate(
            [("pay", "paid", 1), ("pay-twice", "paid", 2), ("pay-untold", "paid", 0), ("decline", "declined", 0)]
        ):
            opened = await there.gateway.initialize(order(f"r-{number}"))
            assert isinstance(opened, Checkout)
            told = len(there.webhooks)
            page = (await there.client.get(opened.url)).text
            assert f'/{action}"' in page
            answer = await there.client.post(f"{opened.url}/{action}")
            assert answer.status_code == 303
            back = answer.headers["location"]
            assert back == (
                "http://shop.test/?payment=1" if status == "paid" else opened.url.removeprefix(there.origin)
            )
            assert (await charge_of(there.gateway, f"r-{number}")).status == status
            if webhooks:
                await there.told(told + webhooks)
        assert (await there.client.get(f"{there.origin}/checkout/nobody")).status_code == 404
        assert (await there.client.post(f"{there.origin}/checkout/nobody/pay")).status_code == 409

"""A payment's machine, a pass's days, and what pays for what."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.kernel.clock import from_unix_seconds
from kswifi.kernel.quantities import format_naira
from kswifi.payments.errors import IllegalPaymentTransitionError, NoReceiptError
from kswifi.payments.model import (
    PAID_STATES,
    PAYMENT_TRANSITIONS,
    UNPAID_STATES,
    PassPeriod,
    PassState,
    Payment,
    PaymentEvent,
    PaymentState,
    earned_after,
    end_of_day,
    next_payment_state,
    period_end,
    what_is_wrong,
)
from kswifi.payments.ports import Charge, ChargeStatus
from kswifi.payments.receipts import ngn, receipt_of, receipt_pdf

LAGOS = ZoneInfo("Africa/Lagos")
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def payment(state: PaymentState = PaymentState.PENDING, amount_kobo: int = 80_000, **more: object) -> Payment:
    settled_at = NOW if state in PAID_STATES else None
    values: dict[str, object] = {
        "reference": "kswifi-1",
        "user_id": "ada",
        "offer_id": "unlimited",
        "title": "Unlimited Sessions (₦800) • 7 days",
        "amount_kobo": amount_kobo,
        "valid_days": 7,
        "limit_octets": None,
        "gateway": "paystack",
        "sandbox": False,
        "state": state,
        "reason": None,
        "checkout_url": None,
        "created_at": NOW,
        "settled_at": settled_at,
        "refunded_at": None,
        "paid_kobo": amount_kobo if settled_at else None,
        "fees_kobo": 0 if settled_at else None,
        "refund_kobo": None,
        "channel": "card",
    }
    return Payment(**values | more)  # type: ignore[arg-type]


def test_every_pair_that_is_not_listed_is_refused() -> None:
    for state, event in product(PaymentState, PaymentEvent):
        if (state, event) in PAYMENT_TRANSITIONS:
            assert next_payment_state(state, event) == PAYMENT_TRANSITIONS[state, event]
            continue
        with pytest.raises(IllegalPaymentTransitionError):
            next_payment_state(state, event)


def test_no_road_leads_from_paid_to_unpaid_and_none_grants_twice() -> None:
    assert set(UNPAID_STATES) | set(PAID_STATES) == set(PaymentState)
    for (state, event), following in PAYMENT_TRANSITIONS.items():
        if state in PAID_STATES:
            assert following in PAID_STATES
            assert event is not PaymentEvent.PAID
    reachable, frontier = set(), {PaymentState.INTENDED}
    while frontier:
        reachable |= frontier
        frontier = {to for (state, _), to in PAYMENT_TRANSITIONS.items() if state in reachable} - reachable
    assert reachable == set(PaymentState)


instants = st.integers(1_704_067_200, 2_019_686_400).map(from_unix_seconds)
zones = st.sampled_from(["Africa/Lagos", "UTC", "Europe/Berlin", "America/St_Johns"]).map(ZoneInfo)


@settings(deadline=None, max_examples=200)
@given(instants, st.integers(1, 60), zones, st.integers(1, 4))
def test_a_pass_has_all_its_days_and_an_extension_begins_where_it_ends(
    paid_at: datetime, days: int, zone: ZoneInfo, times: int
) -> None:
    starts_at, end = paid_at, period_end(paid_at, days, follows=False, zone=zone)
    local_days: list[date] = [paid_at.astimezone(zone).date()]
    for _ in range(times):
        assert end.astimezone(zone).time().isoformat() in (
            "00:00:00",
            "01:00:00",
        )  # midnight, or what stands for it
        assert (end.astimezone(zone).date() - local_days[-1]).days == days + (1 if starts_at == paid_at else 0)
        period = PassPeriod("p", "ada", "r", "o", PassState.GRANTED, starts_at, end, days, 1, None)
        ends = [end_of_day(period, day, zone) for day in range(1, days + 1)]
        assert ends[-1] == end
        assert ends == sorted(set(ends))
        assert ends[0] > starts_at
        local_days.append(end.astimezone(zone).date())
        starts_at, end = end, period_end(end, days, follows=True, zone=zone)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 10**9), st.integers(1, 366))
def test_what_is_earned_grows_to_the_whole_price(price_kobo: int, days: int) -> None:
    earned = [earned_after(price_kobo, days, day) for day in range(days + 2)]
    assert earned[0] == 0
    assert earned[-2:] == [price_kobo, price_kobo]
    assert earned == sorted(earned)
    assert max(b - a for a, b in pairwise(earned)) <= -(-price_kobo // days)


@settings(deadline=None, max_examples=300)
@given(
    st.integers(-10, 200_000),
    st.none() | st.integers(0, 200_000),
    st.sampled_from(["NGN", "USD", "ngn", "", "NGN "]),
    st.sampled_from(["kswifi-1", "kswifi-2", ""]),
)
def test_only_what_was_asked_for_pays(amount: int, requested: int | None, currency: str, reference: str) -> None:
    charge = Charge(reference, ChargeStatus.PAID, amount, currency, requested_kobo=requested)
    pays = what_is_wrong(payment(), charge) is None
    assert pays == (
        reference == "kswifi-1"
        and currency == "NGN"
        and (amount == 80_000 or (requested == 80_000 and amount > 80_000))
    )


def test_the_price_of_the_pass_is_eighty_thousand_kobo() -> None:
    assert format_naira(80_000) == "₦800"
    assert ngn(80_000) == "NGN 800.00"
    assert ngn(123_456_789) == "NGN 1,234,567.89"


@pytest.mark.parametrize("state", PAID_STATES)
@pytest.mark.parametrize("sandbox", [True, False])
def test_a_receipt_says_what_was_paid_and_whether_money_moved(state: PaymentState, sandbox: bool) -> None:
    period = PassPeriod("p", "ada", "r", "o", PassState.GRANTED, NOW, NOW + timedelta(days=7), 7, 80_000, None)
    paid = payment(state, sandbox=sandbox, refunded_at=NOW, refund_kobo=80_000)
    receipt = receipt_of(paid, period, "ada@example.ng", "Okoro & Söhne, Lagos ✓", "pay@example.ng", LAGOS)
    words = dict(receipt.lines)
    assert words["Paid"] == "NGN 800.00"
    assert words["Paid on"] == "2026-11-23 10:00 WAT"
    assert words["Paid back"].startswith("NGN 800.00")
    assert receipt.sandbox == sandbox
    pdf = receipt_pdf(receipt)
    assert pdf.startswith(b"%PDF-")
    assert pdf == receipt_pdf(receipt)


@pytest.mark.parametrize("state", UNPAID_STATES)
def test_what_was_not_paid_has_no_receipt(state: PaymentState) -> None:
    with pytest.raises(NoReceiptError):
        receipt_of(payment(state), None, "ada", "KSWiFi", None, LAGOS)

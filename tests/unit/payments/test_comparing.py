"""Each difference between what is here and what the gateway lists is found, and nothing else is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.kernel.text import is_storable
from kswifi.payments.comparing import FindingKind, Here, There, compare, settlement_problem
from kswifi.payments.model import Payment, PaymentState
from kswifi.payments.ports import (
    Charge,
    ChargeStatus,
    Dispute,
    DisputeStatus,
    Refund,
    RefundStatus,
    Settlement,
    SettlementStatus,
)
from kswifi.payments.standing import Standing
from tests.support.databases import START

PAYMENT = Payment(
    *("kswifi-1", "ada", "unlimited", "Unlimited", 80_000, 7, None, "paystack", False, PaymentState.SETTLED),
    *(None, None, START, START, None, 80_000, 1_200, None, "card"),
)
CHARGE = Charge("kswifi-1", ChargeStatus.PAID, 80_000, "NGN", 1_200)
OTHER = replace(CHARGE, reference="kswifi-2")
HERE = Here({"kswifi-1": PAYMENT}, frozenset({"kswifi-1"}))
REFUND = Refund(RefundStatus.DONE, 40_000, refund_id="r", reference="kswifi-1")
DISPUTE = Dispute("d", "kswifi-1", DisputeStatus.OPEN, 80_000)
PAYOUT = Settlement("s", SettlementStatus.PAID_OUT, 80_000, 1_200, 0, 78_800, "NGN")


def here(**columns: object) -> Here:
    return replace(HERE, payments={"kswifi-1": replace(PAYMENT, **columns)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("here", "there", "kinds"),
    [
        (HERE, There((CHARGE,)), []),
        (HERE, There((CHARGE, replace(CHARGE, reference="of-another-shop"))), []),
        (HERE, There((CHARGE, replace(CHARGE, reference="kswifi-2", status=ChargeStatus.OPEN))), []),
        (HERE, There(()), ["missing_there"]),
        (HERE, There((replace(CHARGE, status=ChargeStatus.DECLINED),)), ["missing_there"]),
        (HERE, There((CHARGE, OTHER)), ["missing_here"]),
        (
            replace(HERE, unclaimed=frozenset({"kswifi-2"})),
            There((CHARGE, OTHER)),
            [],
        ),
        (here(state=PaymentState.LAPSED), There((CHARGE,)), ["not_settled_here"]),
        (here(paid_kobo=79_999), There((CHARGE,)), ["amount_differs"]),
        (here(fees_kobo=1_199), There((CHARGE,)), ["fee_differs"]),
        (here(fees_kobo=1_199), There((replace(CHARGE, fees_kobo=0),)), []),
        (HERE, There((replace(CHARGE, status=ChargeStatus.REVERSED),)), ["refunded_there"]),
        (here(state=PaymentState.REFUNDED), There((replace(CHARGE, status=ChargeStatus.REVERSED),)), []),
        (HERE, There((CHARGE,), (REFUND,)), ["refunded_there"]),
        (replace(HERE, refunds={"r": "under_way"}), There((CHARGE,), (REFUND,)), ["refunded_there"]),
        (replace(HERE, refunds={"r": "done"}), There((CHARGE,), (REFUND,)), []),
        (HERE, There((CHARGE,), (replace(REFUND, status=RefundStatus.FAILED),)), []),
        (HERE, There((CHARGE,), (replace(REFUND, reference=None),)), ["refunded_there"]),
        (HERE, There((CHARGE,), (), (DISPUTE,)), ["disputed"]),
        (replace(HERE, disputes={"d": "open"}), There((CHARGE,), (), (DISPUTE,)), []),
        (
            replace(HERE, disputes={"d": "open"}),
            There((CHARGE,), (), (replace(DISPUTE, status=DisputeStatus.LOST),)),
            ["disputed"],
        ),
        (HERE, There((CHARGE,), (), (), (PAYOUT,)), ["settlement_not_booked"]),
        (HERE, There((CHARGE,), (), (), (replace(PAYOUT, status=SettlementStatus.UNDER_WAY),)), []),
        (replace(HERE, settlements={"s": 78_800}), There((CHARGE,), (), (), (PAYOUT,)), []),
        (replace(HERE, settlements={"s": 78_801}), There((CHARGE,), (), (), (PAYOUT,)), ["settlement_differs"]),
        (Here({}), There((), (), (), (), {"s": (CHARGE,)}), ["missing_here"]),
    ],
)
def test_what_differs_is_found(here: Here, there: There, kinds: list[str]) -> None:
    assert [it.kind for it in compare(here, there)] == [FindingKind(kind) for kind in kinds]


@pytest.mark.parametrize(
    ("payout", "contents", "words"),
    [
        (PAYOUT, (CHARGE,), None),
        (replace(PAYOUT, deductions_kobo=8_800, paid_out_kobo=70_000), (CHARGE,), None),
        (replace(PAYOUT, paid_out_kobo=78_799), (CHARGE,), "78800"),
        (replace(PAYOUT, currency="USD"), (CHARGE,), "USD"),
        (PAYOUT, (), "sum to 0"),
        (PAYOUT, (replace(CHARGE, fees_kobo=1_199),), "1199 of fees"),
        (PAYOUT, (CHARGE, replace(CHARGE, reference="kswifi-9")), "not ours"),
    ],
)
def test_a_payout_is_booked_only_if_it_adds_up(
    payout: Settlement, contents: tuple[Charge, ...], words: str | None
) -> None:
    found = settlement_problem(payout, contents, {"kswifi-1"})
    assert found is None if words is None else words in (found or "")


def test_what_went_back_is_counted_once() -> None:
    lost = replace(DISPUTE, status=DisputeStatus.LOST)
    by_refund = replace(REFUND, amount_kobo=80_000, dispute_id="d")
    reversed_ = replace(CHARGE, status=ChargeStatus.REVERSED)
    assert Standing(CHARGE).returned_kobo == 0
    assert Standing(CHARGE, (REFUND, replace(REFUND, status=RefundStatus.UNDER_WAY))).returned_kobo == 40_000
    assert Standing(CHARGE, (), (DISPUTE,)).returned_kobo == 0
    assert Standing(CHARGE, (), (lost,)).returned_kobo == 80_000
    assert Standing(CHARGE, (by_refund,), (lost,)).returned_kobo == 80_000
    assert Standing(CHARGE, (REFUND,), (replace(lost, amount_kobo=30_000),)).returned_kobo == 70_000
    assert Standing(reversed_).returned_kobo == 80_000
    assert Standing(reversed_, (REFUND,)).returned_kobo == 40_000
    assert Standing(reversed_, (replace(REFUND, status=RefundStatus.UNDER_WAY),)).returned_kobo == 0


_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(value=_json, bad=st.sampled_from(["\ud800", "a\udfffb", "\0", "a\0"]), place=st.integers(0, 2))
def test_bad_text_is_found_wherever_it_stands(value: object, bad: str, place: int) -> None:
    assert is_storable(value) == ("\0" not in _all_text(value))
    assert not is_storable([value, [bad]] if place == 0 else {bad: value} if place == 1 else {"a": [{"b": bad}]})


def _all_text(value: object) -> str:
    if isinstance(value, dict):
        return "".join(key + _all_text(one) for key, one in value.items())
    if isinstance(value, list):
        return "".join(map(_all_text, value))
    return value if isinstance(value, str) else ""

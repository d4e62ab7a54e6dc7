"""What leaves the cost of free data open is found, and nothing else is."""

from dataclasses import replace

import pytest

from kswifi.free_data.model import Budget, BudgetKind
from kswifi.free_data.rules import FreeDataRules, Requirement
from kswifi.free_data.unlimited_cost_warnings import ASKS_NOTHING, NO_COST, NO_LIMIT, left_open

CLOSED = FreeDataRules(cost_kobo_per_gb=20_000, monthly_kobo=1, required=Requirement.PHONE)


def budget(kind: BudgetKind) -> Budget:
    return Budget(str(kind), kind, 1, 0, 0, None, None, 0)


def test_out_of_the_box_everything_is_open() -> None:
    assert left_open(FreeDataRules(), ()) == (NO_COST, NO_LIMIT, ASKS_NOTHING)
    assert left_open(CLOSED, ()) == ()


@pytest.mark.parametrize(
    ("kind", "required", "found"),
    [
        (BudgetKind.OPERATOR, Requirement.PHONE, ()),
        (BudgetKind.SPONSOR, Requirement.PHONE, ()),
        (BudgetKind.VENUE, Requirement.PHONE, (NO_LIMIT,)),
        (BudgetKind.VENUE, Requirement.PHONE_OR_VOUCHER, (NO_LIMIT,)),
        (BudgetKind.VENUE, Requirement.VOUCHER, ()),
    ],
)
def test_a_venues_money_limits_its_vouchers_alone(
    kind: BudgetKind, required: Requirement, found: tuple[str, ...]
) -> None:
    assert left_open(replace(CLOSED, monthly_kobo=None, required=required), [budget(kind)]) == found


def test_who_identifies_everybody_may_ask_for_nothing_else() -> None:
    assert left_open(replace(CLOSED, required=Requirement.NOTHING, kyc_level=1), ()) == ()
    assert left_open(replace(CLOSED, required=Requirement.NOTHING), ()) == (ASKS_NOTHING,)

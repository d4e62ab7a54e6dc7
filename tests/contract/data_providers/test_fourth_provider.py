"""One file, one face and one line are enough for another vendor: it then passes the same contract."""

from collections.abc import Awaitable, Callable

import pytest

from kswifi.lab.rehearsal.providers.faults import Wrong
from kswifi.lab.rehearsal.providers.server import FACES
from kswifi.providers.data.registry import PROVIDERS, unconfirmed_details
from tests.contract.data_providers import test_hostile_answers, test_orders
from tests.contract.data_providers.fourth_provider import FACE, LINE, UNCONFIRMED
from tests.support import data_providers

NAME = "fourth"


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(PROVIDERS, dict)
    monkeypatch.setitem(PROVIDERS, NAME, LINE)
    monkeypatch.setitem(FACES, NAME, FACE)
    monkeypatch.setitem(data_providers.BUNDLES, NAME, "ng-1")


@pytest.mark.parametrize(
    "contract",
    [
        test_orders.test_the_catalogue_has_prices_sizes_and_days,
        test_orders.test_the_balance_is_in_minor_units,
        test_orders.test_wrong_keys_are_refused_and_buy_nothing,
        test_orders.test_check_returns_the_price_of_the_day,
        test_orders.test_an_order_takes_its_price_once_and_is_allocated,
        test_orders.test_an_installed_profile_and_its_use_are_reported,
        test_orders.test_too_little_money_is_a_refusal_without_an_effect,
        test_orders.test_a_bundle_that_is_sold_out_is_refused,
        test_orders.test_a_repeated_order_buys_nothing_more_where_the_provider_is_idempotent,
        test_orders.test_a_pending_order_is_allocated_later,
        test_orders.test_a_failed_order_is_never_read_as_delivered,
        test_orders.test_unknown_members_of_an_answer_change_nothing,
        test_orders.test_another_currency_is_never_a_success,
        test_orders.test_orders_of_other_intents_are_not_taken,
        test_orders.test_an_order_long_before_or_after_is_not_taken,
        test_orders.test_an_unused_bundle_is_returned_for_its_price,
        test_orders.test_references_have_the_form_that_the_provider_accepts,
        test_hostile_answers.test_keys_do_not_follow_a_redirect,
    ],
    ids=lambda it: it.__name__,
)
async def test_a_fourth_provider_passes(contract: Callable[[str], Awaitable[None]]) -> None:
    await contract(NAME)


@pytest.mark.parametrize("wrong", [Wrong.NO_ANSWER, Wrong.BROKEN_AFTER, Wrong.UNREADABLE, Wrong.CUT, Wrong.HUGE])
async def test_a_lost_answer_of_a_fourth_provider_is_found(wrong: Wrong) -> None:
    await test_orders.test_a_lost_answer_is_unknown_and_the_order_is_found(NAME, wrong)


@pytest.mark.parametrize("wrong", [Wrong.NEVER_ARRIVED, Wrong.BROKEN, Wrong.RATE_LIMITED])
async def test_an_order_that_did_not_reach_a_fourth_provider_is_not_there(wrong: Wrong) -> None:
    await test_orders.test_an_order_that_did_not_arrive_is_unknown_and_not_there(NAME, wrong)


def test_its_unconfirmed_details_are_listed() -> None:
    assert unconfirmed_details(NAME) == UNCONFIRMED

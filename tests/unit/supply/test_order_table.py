"""The table of orders at a data provider: its ends, its order, and what a provider's stages do to it."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.supply.errors import IllegalOrderTransitionError
from kswifi.supply.orders import (
    CHARGED_STATES,
    DELIVERED_STATES,
    OPEN_STATES,
    ORDER_TRANSITIONS,
    OrderEvent,
    OrderState,
    events_to,
    next_order_state,
)
from kswifi.supply.ports import OrderStage

RANK = [*OPEN_STATES, *DELIVERED_STATES]


def test_every_pair_that_is_not_listed_is_refused() -> None:
    for state, event in product(OrderState, OrderEvent):
        if (state, event) not in ORDER_TRANSITIONS:
            with pytest.raises(IllegalOrderTransitionError):
                next_order_state(state, event)


def test_no_paid_call_is_possible_twice() -> None:
    asked = [pair for pair in ORDER_TRANSITIONS if pair[1] is OrderEvent.ASKED]
    assert asked == [(OrderState.INTENDED, OrderEvent.ASKED)]
    assert OrderState.INTENDED not in ORDER_TRANSITIONS.values()


def test_a_refused_order_costs_nothing_and_stays_so() -> None:
    for end in (OrderState.REFUSED, OrderState.REFUNDED):
        assert end not in CHARGED_STATES
        assert not [pair for pair in ORDER_TRANSITIONS if pair[0] is end]


@given(st.sampled_from(OrderState), st.lists(st.sampled_from(OrderStage), max_size=12))
def test_stages_in_any_order_never_move_an_order_back(state: OrderState, stages: list[OrderStage]) -> None:
    for stage in stages:
        before = state
        for event in events_to(state, stage):
            state = next_order_state(state, event)
        if before in RANK and state in RANK:
            assert RANK.index(state) >= RANK.index(before)
        if before in DELIVERED_STATES:
            assert state is not OrderState.REFUSED  # what was delivered cannot fail any more
        if before is OrderState.INTENDED:
            assert state is OrderState.INTENDED  # nothing was asked yet
        assert events_to(state, stage) == ()  # the same stage again changes nothing


@pytest.mark.parametrize(
    ("stage", "state"),
    [
        (OrderStage.PENDING, OrderState.PLACED),
        (OrderStage.ALLOCATED, OrderState.ALLOCATED),
        (OrderStage.INSTALLED, OrderState.INSTALLED),
        (OrderStage.IN_USE, OrderState.IN_USE),
        (OrderStage.DEPLETED, OrderState.DEPLETED),
        (OrderStage.EXPIRED, OrderState.EXPIRED),
        (OrderStage.FAILED, OrderState.REFUSED),
        (OrderStage.CANCELLED, OrderState.CANCELLED),
        (OrderStage.REFUNDED, OrderState.REFUNDED),
    ],
)
def test_an_unknown_order_follows_any_stage_at_once(stage: OrderStage, state: OrderState) -> None:
    reached = OrderState.UNKNOWN
    for event in events_to(reached, stage):
        reached = next_order_state(reached, event)
    assert reached is state

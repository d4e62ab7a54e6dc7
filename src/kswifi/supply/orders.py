"""States and transitions of an order at a data provider: one table, and pure functions over it.

``intended → placed → allocated → installed → in_use → depleted | expired``; ``unknown`` from the moment before the
paid call until its result is known; ``refused``, ``cancelled`` and ``refunded``. The worker writes ``unknown``
before it calls, so a crash during the call can never lead to a second purchase.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kswifi.supply.errors import IllegalOrderTransitionError
from kswifi.supply.ports import OrderStage


class OrderState(StrEnum):
    """The states of an order at a data provider."""

    INTENDED = "intended"
    """Stored; the provider was not called yet."""
    UNKNOWN = "unknown"
    """The provider is being called, or its answer is not known."""
    PLACED = "placed"
    """Accepted by the provider and charged; not delivered yet."""
    ALLOCATED = "allocated"
    """Delivered: loaded onto the line, or assigned to a profile that can be installed."""
    INSTALLED = "installed"
    IN_USE = "in_use"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    REFUSED = "refused"
    """Not bought: refused, failed before its delivery, or not found at the provider."""
    CANCELLED = "cancelled"
    """Withdrawn. The money of one that was delivered is not known to be back."""
    REFUNDED = "refunded"
    """The provider returned the money."""


class OrderEvent(StrEnum):
    """The events of an order at a data provider."""

    ASKED = "asked"
    """The paid call is about to be made."""
    WITHDRAWN = "withdrawn"
    """The order is not needed any more, before the first call."""
    ACCEPTED = "accepted"
    NOT_PLACED = "not_placed"
    """The provider refused, or has no such order for long enough."""
    FAILED = "failed"
    """Accepted, and then not delivered: the provider charged nothing, or gave it back."""
    DELIVERED = "delivered"
    INSTALLED = "installed"
    USED = "used"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


_S = OrderState
_E = OrderEvent

DELIVERED_STATES: Final = (_S.ALLOCATED, _S.INSTALLED, _S.IN_USE)
"""The states of a bundle that can be used."""
OPEN_STATES: Final = (_S.INTENDED, _S.UNKNOWN, _S.PLACED)
"""The states before the delivery."""
CHARGED_STATES: Final = (_S.PLACED, *DELIVERED_STATES, _S.DEPLETED, _S.EXPIRED, _S.CANCELLED)
"""The states in which the provider keeps the price, unless an order was withdrawn before it was placed."""

ORDER_TRANSITIONS: Final[Mapping[tuple[OrderState, OrderEvent], OrderState]] = MappingProxyType(
    {
        (_S.INTENDED, _E.ASKED): _S.UNKNOWN,
        (_S.INTENDED, _E.WITHDRAWN): _S.CANCELLED,
        (_S.UNKNOWN, _E.ACCEPTED): _S.PLACED,
        (_S.UNKNOWN, _E.NOT_PLACED): _S.REFUSED,
        (_S.UNKNOWN, _E.DELIVERED): _S.ALLOCATED,
        (_S.PLACED, _E.DELIVERED): _S.ALLOCATED,
        (_S.PLACED, _E.FAILED): _S.REFUSED,
        (_S.ALLOCATED, _E.INSTALLED): _S.INSTALLED,
        **{(state, _E.USED): _S.IN_USE for state in (_S.ALLOCATED, _S.INSTALLED)},
        **{(state, _E.DEPLETED): _S.DEPLETED for state in DELIVERED_STATES},
        **{(state, _E.EXPIRED): _S.EXPIRED for state in DELIVERED_STATES},
        **{(state, _E.CANCELLED): _S.CANCELLED for state in (_S.PLACED, *DELIVERED_STATES)},
        **{
            (state, _E.REFUNDED): _S.REFUNDED
            for state in (_S.PLACED, *DELIVERED_STATES, _S.DEPLETED, _S.EXPIRED, _S.CANCELLED)
        },
    }
)
"""All transitions. A pair that is not listed is illegal."""

_RANK: Final = (_S.UNKNOWN, _S.PLACED, _S.ALLOCATED, _S.INSTALLED, _S.IN_USE)
_BY_STAGE: Final[Mapping[OrderStage, tuple[OrderEvent, ...]]] = MappingProxyType(
    {
        OrderStage.PENDING: (_E.ACCEPTED,),
        OrderStage.ALLOCATED: (_E.DELIVERED,),
        OrderStage.INSTALLED: (_E.DELIVERED, _E.INSTALLED),
        OrderStage.IN_USE: (_E.DELIVERED, _E.USED),
        OrderStage.DEPLETED: (_E.DELIVERED, _E.DEPLETED),
        OrderStage.EXPIRED: (_E.DELIVERED, _E.EXPIRED),
        OrderStage.CANCELLED: (_E.ACCEPTED, _E.CANCELLED),
        OrderStage.REFUNDED: (_E.ACCEPTED, _E.REFUNDED),
        OrderStage.FAILED: (_E.NOT_PLACED, _E.FAILED),
    }
)


def next_order_state(state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state after an event.

    Raises:
        IllegalOrderTransitionError: the table does not list this event for this state.
    """
    following = ORDER_TRANSITIONS.get((state, event))
    if following is None:
        raise IllegalOrderTransitionError(
            f"an order that is {state} cannot take {event}", state=str(state), event=str(event)
        )
    return following


def events_to(state: OrderState, stage: OrderStage) -> tuple[OrderEvent, ...]:
    """Return the events that lead an order to the stage that the provider reports; none if it is there or beyond.

    A provider may skip stages, repeat them and fall back; an order never moves back.
    """
    events: list[OrderEvent] = []
    for event in _BY_STAGE[stage]:
        following = ORDER_TRANSITIONS.get((state, event))
        if following is not None:
            events.append(event)
            state = following
    return tuple(events)

"""Standing orders: states, and the rule by which the next session is needed. Pure: no input or output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kswifi.people.errors import ILLEGAL_STANDING_ORDER_TRANSITION


class StandingOrderState(StrEnum):
    """The states of a standing order."""

    ON = "on"
    WAITING = "waiting"
    """The owner is on the waiting list, because no budget can pay for the next session now."""
    PAUSED = "paused"
    """By its owner, or because several due dates in a row were ignored."""
    ENDED = "ended"


class StandingOrderEvent(StrEnum):
    """The events that move a standing order."""

    MONEY_GONE = "money_gone"
    MONEY_BACK = "money_back"
    """The waiting list has called its owner, or the owner has left the list."""
    PAUSED = "paused"
    TURNED_ON = "turned_on"
    ENDED = "ended"


_S, _E = StandingOrderState, StandingOrderEvent
_OPEN: Final = (_S.ON, _S.WAITING, _S.PAUSED)

STANDING_ORDER_TRANSITIONS: Final[Mapping[tuple[StandingOrderState, StandingOrderEvent], StandingOrderState]] = (
    MappingProxyType(
        {
            (_S.ON, _E.MONEY_GONE): _S.WAITING,
            (_S.WAITING, _E.MONEY_BACK): _S.ON,
            (_S.ON, _E.PAUSED): _S.PAUSED,
            (_S.WAITING, _E.PAUSED): _S.PAUSED,
            (_S.WAITING, _E.TURNED_ON): _S.ON,
            (_S.PAUSED, _E.TURNED_ON): _S.ON,
            **{(state, _E.ENDED): _S.ENDED for state in _OPEN},
        }
    )
)
"""The whole machine. A pair that is not here is refused."""


class LastResult(StrEnum):
    """What became of the last due date, where it was not a refusal; a refusal's own code is stored otherwise."""

    ORDERED = "ordered"
    IGNORED = "ignored"
    NOT_NEEDED = "not_needed"
    """The owner has got another session before the due date was carried out."""
    NO_ESIM = "no_esim"
    """No eSIM of the owner is installed and takes another session."""
    OFFER_GONE = "offer_gone"


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """The wish of a user for a next session; exactly one of ``below_percent`` and ``days_before_end`` is not None.

    ``due_number`` counts the due dates, and ``due_since`` is the instant of the present one, None while none is
    due. ``ignored`` counts the due dates in a row that nobody carried out. Before ``call_after`` no due date
    begins. ``session_id`` is the session that it ordered last.
    """

    standing_order_id: str
    user_id: str
    offer_id: str
    below_percent: int | None
    days_before_end: int | None
    state: StandingOrderState
    last_result: str | None
    due_number: int
    due_since: datetime | None
    ignored: int
    call_after: datetime
    session_id: str | None
    created_at: datetime
    changed_at: datetime

    def key_of(self, due_number: int) -> str:
        """Return the idempotency key of the session that is ordered for a due date."""
        return f"standing:{self.standing_order_id}:{due_number}"


@dataclass(frozen=True, slots=True)
class Holding:
    """A live session of the line, as the projector last reported it; both amounts are None for an uncapped one."""

    allowance_octets: int | None
    left_octets: int | None
    valid_until: datetime


def is_needed(order: StandingOrder, holdings: Sequence[Holding], now: datetime) -> bool:
    """Tell whether the line needs the next session: it has none, or one that is nearly used up or over.

    A line with two live sessions needs none, so that at most one is ordered ahead. A line with an uncapped session
    needs none either: a next one could not end later.
    """
    if not holdings:
        return True
    if len(holdings) > 1:
        return False
    (present,) = holdings
    if present.allowance_octets is None or present.left_octets is None:
        return False
    if order.days_before_end is not None:
        return present.valid_until - now <= timedelta(days=order.days_before_end)
    assert order.below_percent is not None  # noqa: S101 - one of the two is there
    return 100 * present.left_octets < order.below_percent * present.allowance_octets


def next_standing_order_state(state: StandingOrderState, event: StandingOrderEvent) -> StandingOrderState:
    """Return the state that follows.

    Raises:
        ILLEGAL_STANDING_ORDER_TRANSITION: the table does not list the event for the state.
    """
    following = STANDING_ORDER_TRANSITIONS.get((state, event))
    if following is None:
        raise ILLEGAL_STANDING_ORDER_TRANSITION(
            f"a standing order that is {state} cannot take {event}", state=str(state)
        )
    return following

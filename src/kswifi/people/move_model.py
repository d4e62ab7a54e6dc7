"""The states of a move of one line to a new eSIM, and the rules of its confirmation. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kswifi.people.errors import ILLEGAL_MOVE_TRANSITION

WAIT: Final = timedelta(hours=24)
"""How long an unconfirmed move waits, so that the owner can stop a thief."""
AFTER_CHANGE: Final = timedelta(hours=72)
"""How long nothing moves after a change of password, recovery code or identifier, confirmed or not."""
MOVES_IN_PERIOD: Final = 2
PERIOD: Final = timedelta(days=30)


class MoveReason(StrEnum):
    """What happened to the old phone."""

    LOST = "lost"
    BROKEN = "broken"
    DELETED = "deleted"
    """The eSIM was deleted from the phone."""
    NEW_PHONE = "new_phone"


class MoveState(StrEnum):
    """The states of a move."""

    WAITING = "waiting"
    """The old line is frozen; the move begins at ``due_at``."""
    MOVING = "moving"
    MOVED = "moved"
    CANCELLED = "cancelled"


class MoveEvent(StrEnum):
    """The events of a move."""

    BEGUN = "begun"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Confirmation(StrEnum):
    """How the owner confirmed a move."""

    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"
    OLD_DEVICE = "old_device"
    """A device that was signed in before the move was asked for."""


MOVE_TRANSITIONS: Final[Mapping[tuple[MoveState, MoveEvent], MoveState]] = MappingProxyType(
    {
        (MoveState.WAITING, MoveEvent.BEGUN): MoveState.MOVING,
        (MoveState.WAITING, MoveEvent.CANCELLED): MoveState.CANCELLED,
        (MoveState.MOVING, MoveEvent.FINISHED): MoveState.MOVED,
    }
)
"""The whole machine. Once octets move, a move cannot be cancelled."""


@dataclass(frozen=True, slots=True)
class PhoneMove:
    """A move of the sessions of one line to a new eSIM of the same account.

    ``was_frozen``: the line was frozen before the move was asked for, so cancelling does not thaw it. ``asked_by``
    is the LoginSession that asked. ``new_esim_id`` is None until it has begun.
    """

    move_id: str
    user_id: str
    old_esim_id: str
    new_esim_id: str | None
    why: MoveReason
    state: MoveState
    was_frozen: bool
    asked_by: str
    confirmed_by: Confirmation | None
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None


def next_move_state(state: MoveState, event: MoveEvent) -> MoveState:
    """Return the state that follows.

    Raises:
        ILLEGAL_MOVE_TRANSITION: the table does not list the event for the state.
    """
    following = MOVE_TRANSITIONS.get((state, event))
    if following is None:
        raise ILLEGAL_MOVE_TRANSITION(f"a move that is {state} cannot be {event}", state=str(state))
    return following


def due_at(created_at: datetime, confirmed_at: datetime | None, changed_at: datetime | None) -> datetime:
    """Return when a move may begin.

    Args:
        created_at: when it was asked for.
        confirmed_at: when the owner confirmed it, None if nobody has.
        changed_at: the last change of password, recovery code or identifier, None without one.
    """
    due = created_at + WAIT if confirmed_at is None else confirmed_at
    return due if changed_at is None else max(due, changed_at + AFTER_CHANGE)

"""Holds: no free data for one account until a person has looked at it. Paid data and the line are not touched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, update

from kswifi.database.dialect import insert
from kswifi.database.engine import transaction_instant
from kswifi.free_data.errors import AccountHeldError
from kswifi.free_data.sql import account_device, account_hold
from kswifi.kernel.ids import uuid7

HELD_WORDS: Final = (
    "Free data is held for your account until a person has looked at it. What you have paid for still works. "
    "If this is a mistake, call support."
)
"""What the owner reads. It does not tell which rule was met."""

_t: Final = account_hold.c


class HoldState(StrEnum):
    """The state of a hold: it is in force until it is released."""

    WAITING = "waiting"
    KEPT = "kept"
    RELEASED = "released"


_IN_FORCE: Final = (HoldState.WAITING, HoldState.KEPT)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold. ``facts`` says what the rule has counted; ``reason`` is that of the person who decided."""

    hold_id: str
    user_id: str
    why: str
    facts: Mapping[str, Any]
    state: HoldState
    placed_by: str
    placed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None

    @property
    def in_force(self) -> bool:
        """Whether it still holds free data."""
        return self.state is not HoldState.RELEASED


def require_not_held(connection: Connection, user_id: str) -> None:
    """Refuse free data for an account that is held.

    Raises:
        AccountHeldError: it is.
    """
    if is_held(connection, user_id):
        raise AccountHeldError(HELD_WORDS)


def is_held(connection: Connection, user_id: str) -> bool:
    """Return whether free data is held for an account."""
    query = select(_t.hold_id).where(_t.user_id == user_id, _t.state.in_(_IN_FORCE)).limit(1)
    return connection.scalar(query) is not None


def place_hold(
    connection: Connection, user_id: str, why: str, facts: Mapping[str, Any], placed_by: str, state: HoldState
) -> Hold | None:
    """Place a hold; None if the account is held already."""
    if is_held(connection, user_id):
        return None
    now = transaction_instant(connection)
    hold_id = str(uuid7(now))
    connection.execute(
        insert(account_hold).values(
            hold_id=hold_id,
            user_id=user_id,
            why=why,
            facts=dict(facts),
            state=state,
            placed_by=placed_by,
            placed_at=now,
        )
    )
    return find_hold(connection, hold_id)


def set_state(
    connection: Connection, hold_id: str, state: HoldState, *, decided_by: str | None, reason: str | None
) -> None:
    """Set the state of a hold, with the person who decided it; None for a decision that was undone."""
    decided_at = None if decided_by is None else transaction_instant(connection)
    values = {"state": state, "decided_by": decided_by, "decided_at": decided_at, "reason": reason}
    connection.execute(update(account_hold).where(_t.hold_id == hold_id).values(**values))


def find_hold(connection: Connection, hold_id: str) -> Hold | None:
    """Return a hold; None if there is none with this id."""
    row = connection.execute(select(account_hold).where(_t.hold_id == hold_id)).one_or_none()
    return None if row is None else _read(row)


def holds_waiting(connection: Connection, limit: int) -> list[Hold]:
    """Return the holds that wait for a person, the oldest first."""
    query = select(account_hold).where(_t.state == HoldState.WAITING).order_by(_t.placed_at, _t.user_id)
    return [_read(row) for row in connection.execute(query.limit(limit))]


def count_waiting(connection: Connection) -> int:
    """Return how many holds wait for a person."""
    return int(connection.scalar(select(func.count()).where(_t.state == HoldState.WAITING)) or 0)


def holds_of(connection: Connection, user_ids: Sequence[str]) -> list[Hold]:
    """Return all holds of some accounts, the newest first."""
    query = select(account_hold).where(_t.user_id.in_(user_ids)).order_by(_t.placed_at.desc(), _t.hold_id.desc())
    return [_read(row) for row in connection.execute(query)]


def note_device(connection: Connection, user_id: str, device_mark: str) -> None:
    """Store at which device an account was made."""
    values = {"user_id": user_id, "device_mark": device_mark, "seen_at": transaction_instant(connection)}
    connection.execute(insert(account_device).values(**values).on_conflict_do_nothing())


def forget_devices(connection: Connection, user_id: str) -> None:
    """Delete the devices of a deleted account. Its holds stay: they hold ids and counts only."""
    connection.execute(delete(account_device).where(account_device.c.user_id == user_id))


def _read(row: Row[*tuple[Any, ...]]) -> Hold:
    return Hold(**(row._asdict() | {"state": HoldState(row.state)}))

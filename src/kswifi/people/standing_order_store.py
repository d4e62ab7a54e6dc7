"""Read and write standing orders: every change is written here, and is published to the owner's devices."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import Row

from kswifi.database.engine import transaction_instant
from kswifi.outbox.service import publish
from kswifi.people.sql import standing_order
from kswifi.people.standing_order_model import Holding, StandingOrder, StandingOrderState
from kswifi.sessions.model import LIVE_STATES, SessionState
from kswifi.sessions.sql import internet_session, session_balance

STANDING_ORDER_CHANGED: Final = "standing_order_changed"
"""The event of a changed standing order, for every device of the owner."""

AT_ONCE: Final = 500

_t: Final = standing_order.c
_NAMES: Final = tuple(it.name for it in fields(StandingOrder))
_ON_THE_CARD: Final = (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)
# Built once: building a statement costs more than executing it.
_TO_LOOK_AT: Final = (
    select(standing_order)
    .where(
        or_(
            and_(
                _t.state == StandingOrderState.ON, or_(_t.due_since.is_not(None), _t.call_after <= bindparam("now"))
            ),
            _t.state == StandingOrderState.WAITING,
        ),
        _t.standing_order_id > bindparam("after"),
    )
    .order_by(_t.standing_order_id)
    .limit(AT_ONCE)
)


def find_standing_order(connection: Connection, user_id: str) -> StandingOrder | None:
    """Return a user's standing order, also an ended one; None without one."""
    row = connection.execute(select(standing_order).where(_t.user_id == user_id)).one_or_none()
    return None if row is None else _read(row)


def add_standing_order(connection: Connection, order: StandingOrder, octets: int | None) -> None:
    """Insert a standing order in place of the user's ended one, and publish it."""
    connection.execute(delete(standing_order).where(_t.user_id == order.user_id))
    connection.execute(insert(standing_order).values({name: getattr(order, name) for name in _NAMES}))
    _publish(connection, order, octets)


def write_standing_order(
    connection: Connection, order: StandingOrder, octets: int | None, **columns: Any
) -> StandingOrder:
    """Write columns of a standing order and publish it; return it as it is then.

    Args:
        connection: of the caller's step.
        order: the standing order.
        octets: what its next session holds, for the message; None if its offer is unknown.
        columns: the new values.
    """
    written = connection.execute(
        update(standing_order)
        .where(_t.standing_order_id == order.standing_order_id)
        .values(**columns, changed_at=transaction_instant(connection))
        .returning(standing_order)
    )
    changed = _read(written.one())
    _publish(connection, changed, octets)
    return changed


def put_off(connection: Connection, order: StandingOrder, **columns: Any) -> None:
    """Write when a standing order is looked at again, and why; nothing is published."""
    connection.execute(
        update(standing_order).where(_t.standing_order_id == order.standing_order_id).values(**columns)
    )


def to_look_at(connection: Connection, after: str) -> list[StandingOrder]:
    """Return the next standing orders that may have become due, or are no longer, at most AT_ONCE.

    Args:
        connection: of the caller's step.
        after: the id of the last one that was returned before; "" begins again.
    """
    now = transaction_instant(connection)
    return [_read(row) for row in connection.execute(_TO_LOOK_AT, {"now": now, "after": after})]


def forget_standing_order(connection: Connection, user_id: str) -> None:
    """Delete a user's standing order, because the account is being deleted."""
    connection.execute(delete(standing_order).where(_t.user_id == user_id))


@dataclass(frozen=True, slots=True)
class StandingOrderCounts:
    """How many standing orders are in each state, and how many of them are due."""

    by_state: dict[str, int]
    due: int


def count_standing_orders(connection: Connection) -> StandingOrderCounts:
    """Return the numbers of standing orders."""
    query = select(_t.state, func.count(), func.count(_t.due_since)).group_by(_t.state)
    rows = connection.execute(query).all()
    return StandingOrderCounts({str(it[0]): int(it[1]) for it in rows}, sum(int(it[2]) for it in rows))


def holdings_on(connection: Connection, esim_ids: Collection[str]) -> dict[str, list[Holding]]:
    """Return the live sessions of lines, with what the projector last reported.

    A session that its card does not hold yet counts as whole, whatever its account holds.
    """
    s, b = internet_session.c, session_balance.c
    query = (
        select(s.esim_id, s.state, s.allowance_octets, s.valid_until, b.available, b.reserved, b.withheld)
        .select_from(internet_session.outerjoin(session_balance, b.session_id == s.session_id))
        .where(s.esim_id.in_(esim_ids), s.state.in_(LIVE_STATES))
    )
    found: dict[str, list[Holding]] = {esim_id: [] for esim_id in esim_ids}
    for row in connection.execute(query):
        left = row.allowance_octets
        if left is not None and row.available is not None and row.state in _ON_THE_CARD:
            left = row.available + row.reserved + row.withheld
        found[row.esim_id].append(Holding(row.allowance_octets, left, row.valid_until))
    return found


def _read(row: Row[*tuple[Any, ...]]) -> StandingOrder:
    values = {name: getattr(row, name) for name in _NAMES}
    return StandingOrder(**{**values, "state": StandingOrderState(row.state)})


def _publish(connection: Connection, order: StandingOrder, octets: int | None) -> None:
    publish(
        connection,
        user_id=order.user_id,
        kind=STANDING_ORDER_CHANGED,
        payload={
            "standing_order_id": order.standing_order_id,
            "offer_id": order.offer_id,
            "octets": octets,
            "state": str(order.state),
            "due": order.due_since is not None,
            "due_number": order.due_number,
            "last_result": order.last_result,
            "session_id": order.session_id,
        },
    )

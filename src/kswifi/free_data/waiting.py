"""The operator's waiting list: users are notified in order of entry when there is money for them."""

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, case, delete, func, select, update

from kswifi.database.dialect import insert
from kswifi.database.engine import transaction_instant
from kswifi.free_data.budgets import require_budget
from kswifi.free_data.errors import BudgetGoneError
from kswifi.free_data.model import cost_of, first_tranche
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_waiting
from kswifi.outbox.service import publish

FREE_DATA_AGAIN: Final = "free_data_again"
TOLD_AT_ONCE: Final = 100
HEAD_START: Final = timedelta(minutes=15)
"""The head start of notified users, before the next ones are notified of the same money."""

_t = free_waiting.c


def join(connection: Connection, user_id: str, octets: int) -> None:
    """Put a user at the end of the list; no effect for a user who is waiting already."""
    now = transaction_instant(connection)
    connection.execute(delete(free_waiting).where(_t.user_id == user_id, _t.told_at.is_not(None)))
    connection.execute(
        insert(free_waiting)
        .values(user_id=user_id, octets=octets, since=now)
        .on_conflict_do_update(index_elements=["user_id"], set_={"octets": octets})
    )


def leave(connection: Connection, user_id: str) -> None:
    """Remove a user from the list."""
    connection.execute(delete(free_waiting).where(_t.user_id == user_id))


def waits(connection: Connection, user_id: str) -> bool:
    """Return whether a user is on the list and was not notified yet."""
    query = select(_t.user_id).where(_t.user_id == user_id, _t.told_at.is_(None))
    return connection.scalar(query) is not None


def how_many(connection: Connection) -> int:
    """Return the number of waiting users."""
    query = select(func.count()).select_from(free_waiting).where(_t.told_at.is_(None))
    return int(connection.scalar(query) or 0)


def tell_some(connection: Connection, rules: FreeDataRules) -> int:
    """Notify as many users as there is money for, the longest waiting first; return their number.

    No money is reserved for them, but other users are not notified of the same money during their head start.
    """
    now = transaction_instant(connection)
    connection.execute(delete(free_waiting).where(_t.told_at <= now - HEAD_START))
    tranche = rules.tranche_octets
    first = _t.octets if tranche is None else case((_t.octets > tranche, tranche), else_=_t.octets)
    query = select(func.coalesce(func.sum(first), 0)).where(_t.told_at.is_not(None))
    octets, told = int(connection.scalar(query) or 0), 0
    waiting = select(free_waiting).where(_t.told_at.is_(None)).order_by(_t.since).limit(TOLD_AT_ONCE)
    for row in connection.execute(waiting).all():
        octets += first_tranche(row.octets, tranche)
        try:
            require_budget(connection, cost_of(octets, rules.cost_kobo_per_gb), now, rules)
        except BudgetGoneError:
            break
        connection.execute(update(free_waiting).where(_t.user_id == row.user_id).values(told_at=now))
        publish(connection, user_id=row.user_id, kind=FREE_DATA_AGAIN, payload={"octets": row.octets})
        told += 1
    return told

"""Leases of outbox entries: take, finish, postpone and prune them; the worker's side of the table.

Taking a lease increments the entry's attempts, and every later write names the owner and the attempt. So a worker
whose lease has expired writes nothing, because its attempt number is outdated.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select, update

from kswifi.database.engine import transaction_instant
from kswifi.outbox.model import Entry, EntryState
from kswifi.outbox.sql import domain_event, outbox_entry

ERROR_LIMIT: Final = 1000
PRUNE_LIMIT: Final = 500
"""The maximum of rows deleted in one transaction, so that pruning does not delay the writers."""

_t: Final = outbox_entry.c

# Built once: building a statement costs more than running it.
_LEASE: Final = (
    update(outbox_entry)
    .where(
        _t.id.in_(
            select(_t.id)
            .where(
                _t.state == EntryState.WAITING,
                _t.run_at <= bindparam("now"),
                _t.kind.in_(bindparam("kinds", expanding=True)),
                or_(_t.lease_until.is_(None), _t.lease_until <= bindparam("now")),
            )
            .order_by(_t.run_at, _t.id)
            .limit(bindparam("most"))
        )
    )
    .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"), attempts=_t.attempts + 1)
    .returning(_t.id, _t.kind, _t.key, _t.payload, _t.attempts)
)
_FINISH: Final = (
    update(outbox_entry)
    .where(
        _t.id == bindparam("held_id"),
        _t.lease_owner == bindparam("held_owner"),
        _t.attempts == bindparam("held_attempts"),
    )
    .values(
        state=bindparam("end"),
        last_error=bindparam("reason"),
        finished_at=bindparam("now"),
        lease_owner=None,
        lease_until=None,
    )
)


def lease_due(
    connection: Connection, *, owner: str, kinds: Collection[str], lease_for: timedelta, limit: int
) -> list[Entry]:
    """Lease up to ``limit`` due entries that have no valid lease, the oldest first."""
    now = transaction_instant(connection)
    rows = connection.execute(
        _LEASE, {"now": now, "kinds": list(kinds), "most": limit, "owner": owner, "until": now + lease_for}
    )
    taken = [Entry(row.id, row.kind, row.key, row.payload, row.attempts, owner) for row in rows]
    return sorted(taken, key=lambda entry: entry.id)


def release_leases(connection: Connection) -> int:
    """Release all leases; return their number. Only for the one process that uses the database.

    At its start no worker runs, so each lease belongs to a process that died; without this, its entry would wait
    until the lease expires. The attempts stay counted.
    """
    leased = update(outbox_entry).where(_t.lease_until.is_not(None)).values(lease_owner=None, lease_until=None)
    return connection.execute(leased).rowcount


def finish(connection: Connection, entry: Entry, state: EntryState, reason: str | None = None) -> bool:
    """End an entry. False if the lease was lost; then nothing is written."""
    result = connection.execute(
        _FINISH,
        {
            "held_id": entry.id,
            "held_owner": entry.lease_owner,
            "held_attempts": entry.attempts,
            "end": state,
            "reason": reason and reason[:ERROR_LIMIT],
            "now": transaction_instant(connection),
        },
    )
    return result.rowcount == 1


def postpone(connection: Connection, entry: Entry, run_at: datetime, reason: str) -> bool:
    """Release an entry and let it be tried again at ``run_at``. False if the lease was lost."""
    result = connection.execute(
        update(outbox_entry)
        .where(_held(entry))
        .values(run_at=run_at, last_error=reason[:ERROR_LIMIT], lease_owner=None, lease_until=None)
    )
    return result.rowcount == 1


def counts(connection: Connection) -> dict[str, int]:
    """Return the number of entries in each state, for the operator."""
    rows = connection.execute(select(_t.state, func.count()).group_by(_t.state))
    return {row[0]: row[1] for row in rows}


def revive(connection: Connection, key: str) -> bool:
    """Let a stuck entry be tried again, with its attempts reset; False if it is not stuck."""
    result = connection.execute(
        update(outbox_entry)
        .where(_t.key == key, _t.state == EntryState.STUCK)
        .values(state=EntryState.WAITING, attempts=0, run_at=transaction_instant(connection), finished_at=None)
    )
    return result.rowcount == 1


def prune_entries(connection: Connection, older_than: timedelta) -> int:
    """Delete entries that ended before this age; stuck ones stay until a person has handled them."""
    ended = and_(
        _t.state.in_([EntryState.DONE, EntryState.REFUSED]),
        _t.finished_at < transaction_instant(connection) - older_than,
    )
    old = select(_t.id).where(ended).limit(PRUNE_LIMIT)
    return connection.execute(delete(outbox_entry).where(_t.id.in_(old))).rowcount


def prune_events(connection: Connection, older_than: timedelta) -> int:
    """Delete events older than this; a reader that was away for longer has to load everything again."""
    old = (
        select(domain_event.c.sequence)
        .where(domain_event.c.at < transaction_instant(connection) - older_than)
        .order_by(domain_event.c.sequence)
        .limit(PRUNE_LIMIT)
    )
    return connection.execute(delete(domain_event).where(domain_event.c.sequence.in_(old))).rowcount


def _held(entry: Entry) -> ColumnElement[bool]:
    return and_(_t.id == entry.id, _t.lease_owner == entry.lease_owner, _t.attempts == entry.attempts)

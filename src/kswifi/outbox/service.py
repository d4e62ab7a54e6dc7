"""Writing work and domain events inside the caller's transaction: both are committed with it, or neither."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select

from kswifi.database.dialect import insert
from kswifi.database.engine import announce, transaction_instant
from kswifi.outbox.model import DomainEvent, EntryState, Payload, checked_payload
from kswifi.outbox.sql import domain_event, outbox_entry

WORK_TOPIC: Final = "outbox_entry"
"""The topic that is announced when there is new work; see Database.subscribe."""

EVENTS_TOPIC: Final = "domain_event"
"""The topic that is announced when any user has new events."""

# Built once: building a statement costs more than running it.
_ENQUEUE: Final = insert(outbox_entry).on_conflict_do_nothing(index_elements=["key"])
_PUBLISH: Final = domain_event.insert()


def events_topic(user_id: str) -> str:
    """Return the topic that is announced when this user has new events."""
    return f"domain_event:{user_id}"


def enqueue(
    connection: Connection, *, kind: str, key: str, payload: Payload, run_at: datetime | None = None
) -> None:
    """Enqueue work for after this transaction: at ``run_at``, or at once.

    Idempotent by ``key``: a second call with the same key has no effect while the first entry is retained, that is
    until the retention of finished entries is over.
    """
    now = transaction_instant(connection)
    connection.execute(
        _ENQUEUE,
        {
            "kind": kind,
            "key": key,
            "payload": checked_payload(payload),
            "created_at": now,
            "run_at": run_at or now,
            "attempts": 0,
            "state": EntryState.WAITING,
        },
    )
    announce(connection, WORK_TOPIC)


def is_known(connection: Connection, key: str) -> bool:
    """Return whether work with this key was enqueued and is still retained."""
    query = select(outbox_entry.c.id).where(outbox_entry.c.key == key)
    return connection.execute(query).first() is not None


def publish(connection: Connection, *, user_id: str, kind: str, payload: Payload) -> int:
    """Publish a domain event; return its sequence.

    Writers run one after the other (see Database.write), so sequences are committed in order. A reader that sees
    one sequence can see all earlier ones.
    """
    at = transaction_instant(connection)
    result = connection.execute(
        _PUBLISH, {"user_id": user_id, "kind": kind, "payload": checked_payload(payload), "at": at}
    )
    announce(connection, events_topic(user_id))
    announce(connection, EVENTS_TOPIC)
    assert result.inserted_primary_key is not None  # noqa: S101 - a single-row insert has one
    return int(result.inserted_primary_key[0])


def publish_all(connection: Connection, kind: str, events: Sequence[tuple[str, Payload]]) -> None:
    """Publish events of one kind to many users, in this order.

    ``events``: pairs of a user's id and the event's payload.
    """
    if not events:
        return
    at = transaction_instant(connection)
    connection.execute(
        _PUBLISH,
        [
            {"user_id": user_id, "kind": kind, "payload": checked_payload(payload), "at": at}
            for user_id, payload in events
        ],
    )
    for user_id, _ in events:
        announce(connection, events_topic(user_id))
    announce(connection, EVENTS_TOPIC)


def events_after(connection: Connection, user_id: str, sequence: int, limit: int = 100) -> list[DomainEvent]:
    """Return at most ``limit`` events of a user after a sequence, oldest first."""
    rows = connection.execute(
        select(domain_event)
        .where(domain_event.c.user_id == user_id, domain_event.c.sequence > sequence)
        .order_by(domain_event.c.sequence)
        .limit(limit)
    )
    return [DomainEvent(row.sequence, row.user_id, row.kind, row.payload, row.at) for row in rows]


def events_of_all(connection: Connection, sequence: int, limit: int = 100) -> list[DomainEvent]:
    """Return at most ``limit`` events of all users after a sequence, oldest first."""
    rows = connection.execute(
        select(domain_event)
        .where(domain_event.c.sequence > sequence)
        .order_by(domain_event.c.sequence)
        .limit(limit)
    )
    return [DomainEvent(row.sequence, row.user_id, row.kind, row.payload, row.at) for row in rows]


def forget_events(connection: Connection, user_id: str) -> None:
    """Delete a user's events."""
    connection.execute(delete(domain_event).where(domain_event.c.user_id == user_id))


def event_bounds(connection: Connection) -> tuple[int, int]:
    """Return the sequences of the oldest and the newest retained event; (0, 0) if there is none."""
    row = connection.execute(select(func.min(domain_event.c.sequence), func.max(domain_event.c.sequence))).one()
    return (row[0] or 0, row[1] or 0)

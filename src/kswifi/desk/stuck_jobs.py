"""Jobs that are stuck because every attempt failed: list them, and let them be tried again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from kswifi.desk.audit import checked_reason, record
from kswifi.desk.errors import NOT_STUCK
from kswifi.desk.roles import Operator, Permission
from kswifi.outbox.leases import counts, revive
from kswifi.outbox.model import EntryState
from kswifi.outbox.sql import outbox_entry

_t: Final = outbox_entry.c


@dataclass(frozen=True, slots=True)
class Job:
    """An outbox entry as the operator sees it, without its payload."""

    key: str
    kind: str
    created_at: datetime
    attempts: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Jobs:
    """The stuck jobs, the oldest first, and how many entries are in each state."""

    stuck: tuple[Job, ...]
    counts: dict[str, int]


def jobs(connection: Connection, limit: int = 200) -> Jobs:
    """Return the stuck jobs and the counts of all."""
    columns = (_t.key, _t.kind, _t.created_at, _t.attempts, _t.last_error)
    query = select(*columns).where(_t.state == EntryState.STUCK).order_by(_t.id).limit(limit)
    return Jobs(tuple(Job(*row) for row in connection.execute(query)), counts(connection))


def retry(connection: Connection, operator: Operator, key: str, reason: str) -> None:
    """Let a stuck job be tried again from its first attempt.

    Raises:
        NOT_STUCK: there is no stuck job with this key.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.RUN_JOBS)
    reason = checked_reason(reason)
    if not revive(connection, key):
        raise NOT_STUCK("there is no stuck job with this key", key=key[:200])
    record(
        connection,
        operator,
        "jobs retry",
        key,
        reason=reason,
        before={"state": "stuck"},
        after={"state": "waiting"},
    )

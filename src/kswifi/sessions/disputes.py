"""Disputes: a user's complaint about a session's statement, the disputed hours, and the operator's answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.engine import Row

from kswifi.database.dialect import insert
from kswifi.database.engine import transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.kernel.pages import FIRST_PAGE, Page, PageRequest
from kswifi.outbox.service import publish
from kswifi.sessions.errors import DISPUTE_ANSWERED, TOO_MANY_DISPUTES, UNKNOWN_DISPUTE
from kswifi.sessions.sql import session_dispute
from kswifi.sessions.store import find_session

DISPUTES_OF_SESSION: Final = 20
ANSWER_WITHIN: Final = timedelta(days=3)
"""How long after it was opened a dispute is due."""

ANSWERED: Final = "dispute_answered"
"""The kind of the event that a dispute was answered."""

_t: Final = session_dispute.c
_OF_SESSION: Final = PagedQuery(
    select(session_dispute).where(_t.session_id == bindparam("wanted")),
    _t.created_at,
    _t.dispute_id,
    newest_first=True,
)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A complaint about some hours of a session; ``hours`` is empty if it concerns no particular hour.

    ``answer`` and ``answered_at`` are None while it is open.
    """

    dispute_id: str
    session_id: str
    words: str
    hours: tuple[datetime, ...]
    created_at: datetime
    answer: str | None = None
    answered_at: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """When it has to be answered."""
        return self.created_at + ANSWER_WITHIN


def open_dispute(
    connection: Connection,
    user_id: str,
    session_id: str,
    dispute_id: str,
    words: str,
    hours: Sequence[datetime],
) -> Dispute:
    """Store a dispute. Idempotent by ``dispute_id``.

    Raises:
        UnknownSessionError: there is no such session, or it is somebody else's.
        TOO_MANY_DISPUTES: there are enough of this session to look into.
    """
    session = find_session(connection, session_id, user_id)
    known = select(func.count()).where(_t.session_id == session.session_id, _t.dispute_id != dispute_id)
    if int(connection.scalar(known) or 0) >= DISPUTES_OF_SESSION:
        raise TOO_MANY_DISPUTES("what you wrote about this session is being looked into", limit=DISPUTES_OF_SESSION)
    connection.execute(
        insert(session_dispute)
        .values(
            dispute_id=dispute_id,
            session_id=session.session_id,
            words=words,
            hours=[unix_seconds(hour) for hour in hours],
            created_at=transaction_instant(connection),
        )
        .on_conflict_do_nothing()
    )
    return next(it for it in disputes_of(connection, session.session_id).items if it.dispute_id == dispute_id)


def disputes_of(connection: Connection, session_id: str, page: PageRequest = FIRST_PAGE) -> Page[Dispute]:
    """Return a page of a session's disputes, the newest first."""
    return _OF_SESSION.read(connection, page, _read, wanted=session_id)


def find_dispute(connection: Connection, dispute_id: str) -> Dispute:
    """Return a dispute.

    Raises:
        UNKNOWN_DISPUTE: there is none.
    """
    row = connection.execute(select(session_dispute).where(_t.dispute_id == dispute_id)).one_or_none()
    if row is None:
        raise UNKNOWN_DISPUTE("there is no such dispute", dispute_id=dispute_id[:64])
    return _read(row)


def open_disputes(connection: Connection, limit: int = 200) -> list[Dispute]:
    """Return the disputes that wait for an answer, the oldest first."""
    query = select(session_dispute).where(_t.answered_at.is_(None)).order_by(_t.created_at).limit(limit)
    return [_read(row) for row in connection.execute(query)]


def answer_dispute(connection: Connection, dispute_id: str, answer: str) -> Dispute:
    """Store the answer to an open dispute and publish it to the session's owner; return the dispute.

    Raises:
        UNKNOWN_DISPUTE: there is none.
        DISPUTE_ANSWERED: it has an answer.
    """
    dispute = find_dispute(connection, dispute_id)
    if dispute.answered_at is not None:
        raise DISPUTE_ANSWERED("this dispute was answered before", dispute_id=dispute_id)
    values = {"answer": answer, "answered_at": transaction_instant(connection)}
    connection.execute(update(session_dispute).where(_t.dispute_id == dispute_id).values(**values))
    session = find_session(connection, dispute.session_id)
    payload = {"dispute_id": dispute_id, "session_id": session.session_id}
    publish(connection, user_id=session.user_id, kind=ANSWERED, payload=payload)
    return find_dispute(connection, dispute_id)


def _read(row: Row[Any]) -> Dispute:
    return Dispute(
        dispute_id=row.dispute_id,
        session_id=row.session_id,
        words=row.words,
        hours=tuple(from_unix_seconds(hour) for hour in row.hours),
        created_at=row.created_at,
        answer=row.answer,
        answered_at=row.answered_at,
    )

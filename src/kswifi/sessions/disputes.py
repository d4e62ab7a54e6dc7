"""Disputes: a user's complaint about a session's statement, stored with the disputed hours for the operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.engine import Row

from kswifi.database.dialect import insert
from kswifi.database.engine import transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.kernel.pages import FIRST_PAGE, Page, PageRequest
from kswifi.sessions.errors import TOO_MANY_DISPUTES
from kswifi.sessions.sql import session_dispute
from kswifi.sessions.store import find_session

DISPUTES_OF_SESSION: Final = 20
_t: Final = session_dispute.c
_OF_SESSION: Final = PagedQuery(
    select(session_dispute).where(_t.session_id == bindparam("wanted")),
    _t.created_at,
    _t.dispute_id,
    newest_first=True,
)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A complaint about some hours of a session; ``hours`` is empty if it concerns no particular hour."""

    dispute_id: str
    session_id: str
    words: str
    hours: tuple[datetime, ...]
    created_at: datetime


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


def _read(row: Row[Any]) -> Dispute:
    hours = tuple(from_unix_seconds(hour) for hour in row.hours)
    return Dispute(row.dispute_id, row.session_id, row.words, hours, row.created_at)

"""The one way in which an internet session changes its state, with everything that follows from it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from kswifi.sessions.card import slots
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState, next_state
from kswifi.sessions.service_wish import project_service
from kswifi.sessions.store import publish_state, publish_states, write_state, write_usage_starts


def move_session(
    connection: Connection,
    /,
    session: InternetSession,
    event: SessionEvent,
    reason: str | None = None,
    **columns: object,
) -> InternetSession:
    """Apply an event to a session that was read in this transaction; return the session as it is then.

    These things happen, in this order: the row gets its next state; the wanted records of the session's card are
    projected anew, because a record shows the state and the place of its session; a data provider's line is wanted
    on or off; the change is published.

    Args:
        connection: of the step.
        session: as it was read.
        event: of the state machine.
        reason: why, for people; cut at 200 characters.
        columns: what else becomes true of the session with the event.

    Raises:
        ILLEGAL_TRANSITION: the machine does not list the event for the state; nothing is written.
    """
    moved = write_state(connection, session, next_state(session.state, event), reason, **columns)
    slots.project_wanted_records(connection, moved.esim_id)
    project_service(connection, moved.esim_id)
    publish_state(connection, moved, session.state)
    return moved


def start_usage(connection: Connection, activated_at: Mapping[str, datetime]) -> None:
    """Make stored sessions active with the instants of their first octets, with all that follows, in bulk.

    It does for each what ``move_session`` does. Sessions in other states, and ids of no session here, are passed
    over.
    """
    moved = write_usage_starts(connection, activated_at)
    if moved:
        slots.project_all_wanted_records(connection, {it.esim_id for it in moved})
        publish_states(connection, moved, SessionState.STORED)

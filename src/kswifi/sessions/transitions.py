"""The one way in which an internet session changes its state, with everything that follows from it."""

from sqlalchemy import Connection

from kswifi.sessions.card import slots
from kswifi.sessions.model import InternetSession, SessionEvent, next_state
from kswifi.sessions.store import publish_state, write_state


def move_session(
    connection: Connection,
    /,
    session: InternetSession,
    event: SessionEvent,
    reason: str | None = None,
    **columns: object,
) -> InternetSession:
    """Apply an event to a session that was read in this transaction; return the session as it is then.

    Three things happen, in this order: the row gets its next state; the wanted records of the session's card are
    projected anew, because a record shows the state and the place of its session; the change is published.

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
    publish_state(connection, moved, session.state)
    return moved

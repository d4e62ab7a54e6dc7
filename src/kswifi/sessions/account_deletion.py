"""Delete the personal data in sessions and eSIMs of a deleted account.

Rows that the books refer to are kept without personal data: orders, balances and line numbers. Rows that served
only the user are deleted: packages, session records, disputes, device identifiers (EIDs) and events.
"""

from typing import Final

from sqlalchemy import Connection, delete, select, update

from kswifi.esim.sql import esim, peer_order, profile_order
from kswifi.outbox.service import forget_events
from kswifi.sessions import jobs
from kswifi.sessions.ending import end_unused_session, may_be_spent
from kswifi.sessions.model import LIVE_STATES, SessionEvent
from kswifi.sessions.sql import internet_session, session_dispute, session_package
from kswifi.sessions.store import find_session
from kswifi.supply.lines import forget_numbers

_REASON: Final = "account deleted"


def forget_owner(connection: Connection, user_id: str) -> None:
    """End a user's live sessions and delete the user's personal data in sessions and eSIMs.

    The ledger ends a session that may be spent, when the outbox entry is executed. All other live sessions end
    here.
    """
    t = internet_session.c
    spendable = select(t.session_id).where(t.user_id == user_id, t.state.in_(LIVE_STATES))
    for session_id in connection.execute(spendable).scalars().all():
        session = find_session(connection, session_id)
        jobs.ask_to_revoke(connection, session, _REASON)
        if not may_be_spent(session):
            end_unused_session(connection, session, SessionEvent.REVOKED, _REASON)
    sessions = select(t.session_id).where(t.user_id == user_id)
    lines = select(esim.c.esim_id).where(esim.c.user_id == user_id)
    for table in (session_package, session_dispute):
        connection.execute(delete(table).where(table.c.session_id.in_(sessions)))
    connection.execute(update(internet_session).where(t.user_id == user_id).values(session_record=None))
    connection.execute(update(profile_order).where(profile_order.c.esim_id.in_(lines)).values(eid=None))
    connection.execute(update(peer_order).where(peer_order.c.esim_id.in_(lines)).values(eid=None))
    connection.execute(update(esim).where(esim.c.user_id == user_id).values(eid=None, session_record=None))
    forget_numbers(connection, user_id)
    forget_events(connection, user_id)

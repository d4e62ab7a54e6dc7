"""Revoke internet sessions by the operator's decision."""

from typing import Final

from sqlalchemy import Connection

from kswifi.desk.audit import checked_reason, record
from kswifi.desk.roles import Operator, Permission
from kswifi.sessions.model import InternetSession
from kswifi.sessions.orders import revoke_session
from kswifi.sessions.store import find_session

REVOKED_BY_SUPPORT: Final = "ended by support"
"""What the session's owner reads; the reason that the operator gives stays in the audit trail."""


def revoke(connection: Connection, operator: Operator, session_id: str, reason: str) -> InternetSession:
    """End a session; what was not used comes back to its payer.

    Raises:
        UnknownSessionError, SESSION_ENDED
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    reason = checked_reason(reason)
    before = find_session(connection, session_id)
    after = revoke_session(connection, before.session_id, REVOKED_BY_SUPPORT)
    record(
        connection,
        operator,
        "sessions revoke",
        before.session_id,
        reason=reason,
        before={"state": str(before.state)},
        after={"state": str(after.state), "wanted": "revoked"},
    )
    return after

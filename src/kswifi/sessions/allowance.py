"""The free allowance, enforced here and nowhere else.

A free session counts against the rolling days from its order on, unless it ended with not one octet used: a
failure, a cancellation and an expiry unspent give the allowance back by no longer being counted, so there is
nothing to forget.
"""

from datetime import timedelta

from sqlalchemy import and_, func, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.database.engine import transaction_instant
from kswifi.kernel.quantities import format_octets
from kswifi.sessions.errors import AllowanceExceededError, TooMuchUnspentError
from kswifi.sessions.model import LIVE_STATES, SessionRules, SessionState
from kswifi.sessions.sql import internet_session, session_balance

_GIVING_BACK = (SessionState.FAILED, SessionState.REVOKED, SessionState.EXPIRED)


async def require_free_allowance(
    connection: AsyncConnection, user_id: str, octets: int, rules: SessionRules
) -> None:
    """Refuse a free order that would go over a limit.

    In the order's own write transaction, so that two orders at once cannot both fit.

    Raises:
        AllowanceExceededError: more than the rolling days allow.
        TooMuchUnspentError: more than may lie unspent.
    """
    t, used = internet_session.c, func.coalesce(session_balance.c.used, 0)
    mine = and_(t.user_id == user_id, t.free)
    joined = internet_session.outerjoin(session_balance, session_balance.c.session_id == t.session_id)
    since = transaction_instant(connection) - timedelta(days=rules.free_allowance_days)
    given_back = and_(t.state.in_(_GIVING_BACK), used == 0)
    counted = await connection.scalar(
        select(func.coalesce(func.sum(t.allowance_octets), 0))
        .select_from(joined)
        .where(mine, t.ordered_at > since, not_(given_back))
    )
    left = max(0, rules.free_allowance_octets - int(counted or 0))
    if octets > left:
        raise AllowanceExceededError(
            f"{format_octets(rules.free_allowance_octets)} are free in {rules.free_allowance_days} days; "
            f"{format_octets(left)} of them are left, and this session has {format_octets(octets)}",
            left_octets=left,
            asked_octets=octets,
        )
    unspent = await connection.scalar(
        select(func.coalesce(func.sum(t.allowance_octets - used), 0))
        .select_from(joined)
        .where(mine, t.state.in_(LIVE_STATES))
    )
    room = max(0, rules.max_unspent_octets - int(unspent or 0))
    if octets > room:
        raise TooMuchUnspentError(
            f"{format_octets(rules.max_unspent_octets)} may lie unspent at most; there is room for "
            f"{format_octets(room)}, and this session has {format_octets(octets)}: use some first",
            room_octets=room,
            asked_octets=octets,
        )

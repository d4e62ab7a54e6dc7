"""The free allowance, enforced here and nowhere else.

A free session counts against the rolling days from its order on, unless it ended with not one octet used: a
failure, a cancellation and an expiry unspent give the allowance back by no longer being counted, so there is
nothing to forget.
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, func, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.database.engine import transaction_instant
from kswifi.kernel.quantities import format_octets
from kswifi.sessions.errors import AllowanceExceededError, TooMuchUnspentError
from kswifi.sessions.model import LIVE_STATES, SessionRules, SessionState
from kswifi.sessions.sql import internet_session, session_balance

_USED = func.coalesce(session_balance.c.used, 0)
_WITH_BALANCES = internet_session.outerjoin(
    session_balance, session_balance.c.session_id == internet_session.c.session_id
)
_GIVING_BACK = (SessionState.FAILED, SessionState.REVOKED, SessionState.EXPIRED)


async def free_octets_left(connection: AsyncConnection, user_id: str, now: datetime, rules: SessionRules) -> int:
    """Return how many octets of the rolling days' free allowance are left."""
    t = internet_session.c
    given_back = and_(t.state.in_(_GIVING_BACK), _USED == 0)
    counted = await connection.scalar(
        select(func.coalesce(func.sum(t.allowance_octets), 0))
        .select_from(_WITH_BALANCES)
        .where(
            t.user_id == user_id,
            t.free,
            t.ordered_at > now - timedelta(days=rules.free_allowance_days),
            not_(given_back),
        )
    )
    return max(0, rules.free_allowance_octets - int(counted or 0))


async def require_free_allowance(
    connection: AsyncConnection, user_id: str, octets: int, rules: SessionRules
) -> None:
    """Refuse a free order that would go over a limit.

    In the order's own write transaction, so that two orders at once cannot both fit.

    Raises:
        AllowanceExceededError: more than the rolling days allow.
        TooMuchUnspentError: more than may lie unspent.
    """
    left = await free_octets_left(connection, user_id, transaction_instant(connection), rules)
    if octets > left:
        raise AllowanceExceededError(
            f"{format_octets(rules.free_allowance_octets)} are free in {rules.free_allowance_days} days; "
            f"{format_octets(left)} of them are left, and this session has {format_octets(octets)}",
            left_octets=left,
            asked_octets=octets,
        )
    t = internet_session.c
    unspent = await connection.scalar(
        select(func.coalesce(func.sum(t.allowance_octets - _USED), 0))
        .select_from(_WITH_BALANCES)
        .where(t.user_id == user_id, t.free, t.state.in_(LIVE_STATES))
    )
    room = max(0, rules.max_unspent_octets - int(unspent or 0))
    if octets > room:
        raise TooMuchUnspentError(
            f"{format_octets(rules.max_unspent_octets)} may lie unspent at most; there is room for "
            f"{format_octets(room)}, and this session has {format_octets(octets)}: use some first",
            room_octets=room,
            asked_octets=octets,
        )

"""How a session ends, and what that means for its profile."""

from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.esim.model import ProfileState
from kswifi.esim.secured_delivery import withdraw
from kswifi.esim.service import find_esim
from kswifi.sessions.model import InternetSession, SessionEvent
from kswifi.sessions.store import move_session

_ON_ITS_WAY = (ProfileState.CONFIRMED, ProfileState.RELEASED, ProfileState.DOWNLOADED, ProfileState.ERROR)


async def end_session(
    connection: AsyncConnection, session: InternetSession, event: SessionEvent, reason: str
) -> InternetSession:
    """Move a session to its end; a profile that is on its way to the card is withdrawn with it.

    One that is only allocated carries nothing and may take another order; one that is installed stays on its card.

    Raises:
        IllegalTransitionError: it has ended already.
    """
    ended = await move_session(connection, session, event, reason)
    esim = await find_esim(connection, session.esim_id)
    if esim.profile_state in _ON_ITS_WAY:
        await connection.run_sync(withdraw, esim.esim_id)
    return ended

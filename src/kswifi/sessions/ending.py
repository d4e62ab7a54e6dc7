"""How a session ends, and what that means for its profile and its line."""

from typing import Final

from sqlalchemy import Connection

from kswifi.esim.cancellation import withdraw_profile
from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import ProfileState
from kswifi.free_data.grants import end_unused
from kswifi.sessions import jobs
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState
from kswifi.sessions.store import move_session, sessions_on

ON_THE_CARD: Final = (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)
_ON_ITS_WAY = (ProfileState.CONFIRMED, ProfileState.RELEASED, ProfileState.DOWNLOADED, ProfileState.ERROR)


def end_session(
    connection: Connection, session: InternetSession, event: SessionEvent, reason: str
) -> InternetSession:
    """Move a session to its end; a profile that is on its way to the card is withdrawn with it.

    One that is only allocated carries nothing and may take another order, once another's SM-DP+ has let go of it;
    one that is installed stays on its card.

    Raises:
        IllegalTransitionError: it has ended already.
    """
    ended = move_session(connection, session, event, reason)
    esim = find_esim(connection, session.esim_id)
    if esim.profile_state in _ON_ITS_WAY or esim.record_travels_apart:
        withdraw_profile(connection, esim.esim_id)
    return ended


def may_be_spent(session: InternetSession) -> bool:
    """Tell whether the ledger lets it be spent, or is about to: then it ends by the ledger's word alone.

    A card's proof is told to the ledger before the projector has made the session stored.
    """
    return session.state in ON_THE_CARD or (
        session.state is SessionState.TRANSFERRING and session.storage_proof is not None
    )


def end_unused_session(
    connection: Connection, session: InternetSession, event: SessionEvent, reason: str
) -> InternetSession:
    """End a session that the ledger has never let anybody spend; whoever paid for free data gets it back whole.

    What ``may_be_spent`` ends by the ledger's word, and the projector settles that.

    Raises:
        IllegalTransitionError: it has ended already.
    """
    ended = end_session(connection, session, event, reason)
    end_unused(connection, session.session_id)
    return ended


def cut_off_if_exhausted(connection: Connection, session: InternetSession) -> None:
    """Ask for the hold of an exhausted session's line, where the ledger has not set it by itself.

    That is where the owner had chosen to continue with a next session, and there is none. Asked for once a session.
    """
    if session.state is SessionState.EXHAUSTED and _is_open_for_nothing(connection, session):
        jobs.ask_to_cut_off(connection, session)


def has_usable_session(connection: Connection, esim_id: str) -> bool:
    """Tell whether anything is on the eSIM's card that octets could be spent of."""
    return any(session.state in ON_THE_CARD for session in sessions_on(connection, esim_id))


def _is_open_for_nothing(connection: Connection, session: InternetSession) -> bool:
    esim = find_esim(connection, session.esim_id)
    return esim.hold is None and not has_usable_session(connection, session.esim_id)

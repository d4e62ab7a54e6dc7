"""End sessions, with the consequences for their profiles and lines."""

from typing import Final

from sqlalchemy import Connection

from kswifi.esim.cancellation import withdraw_profile
from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import ProfileState
from kswifi.free_data.grants import end_unused
from kswifi.sessions import jobs
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState
from kswifi.sessions.store import sessions_on
from kswifi.sessions.transitions import move_session
from kswifi.supply.lines import withdraw_orders

ON_THE_CARD: Final = (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)
_ON_ITS_WAY = (ProfileState.CONFIRMED, ProfileState.RELEASED, ProfileState.DOWNLOADED, ProfileState.ERROR)


def end_session(
    connection: Connection, session: InternetSession, event: SessionEvent, reason: str
) -> InternetSession:
    """Move a session to a final state; cancel its profile order if the profile is on its way to the card.

    A profile that is only allocated can serve another order; at an external SM-DP+ its order is cancelled first. An
    installed profile stays on its card.

    Raises:
        ILLEGAL_TRANSITION: it has ended already.
    """
    ended = move_session(connection, session, event, reason)
    esim = find_esim(connection, session.esim_id)
    if not esim.is_card:
        if session.storage_proof is None and event is not SessionEvent.USED_UP:
            withdraw_orders(connection, session.session_id)
    elif esim.profile_state in _ON_ITS_WAY or esim.record_travels_apart:
        withdraw_profile(connection, esim.esim_id)
    return ended


def may_be_spent(session: InternetSession) -> bool:
    """Tell whether the ledger lets the session be spent, or has been asked to: then only the ledger ends it.

    The ledger receives the card's proof before the projector moves the session to ``stored``. A ``transferring``
    session with a proof therefore counts as spendable.
    """
    return session.state in ON_THE_CARD or (
        session.state is SessionState.TRANSFERRING and session.storage_proof is not None
    )


def end_unused_session(
    connection: Connection, session: InternetSession, event: SessionEvent, reason: str
) -> InternetSession:
    """End a session of which the ledger never allowed usage; return its full cost to the payer of free data.

    Only for sessions for which ``may_be_spent`` is False. All others are ended by the ledger and settled by the
    projector.

    Raises:
        ILLEGAL_TRANSITION: it has ended already.
    """
    ended = end_session(connection, session, event, reason)
    end_unused(connection, session.session_id)
    return ended


def cut_off_if_exhausted(connection: Connection, session: InternetSession) -> None:
    """Request the hold of an exhausted session's line if the ledger has not set it.

    The ledger does not set it if the owner chose to continue with the next session and there is none. The request
    is made once for each session.
    """
    if session.state is SessionState.EXHAUSTED and _is_open_for_nothing(connection, session):
        jobs.ask_to_cut_off(connection, session)


def has_usable_session(connection: Connection, esim_id: str) -> bool:
    """Tell whether a session on the eSIM's card can be spent."""
    return any(session.state in ON_THE_CARD for session in sessions_on(connection, esim_id))


def _is_open_for_nothing(connection: Connection, session: InternetSession) -> bool:
    esim = find_esim(connection, session.esim_id)
    return esim.hold is None and not has_usable_session(connection, session.esim_id)

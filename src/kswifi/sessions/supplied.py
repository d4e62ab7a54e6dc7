"""Sessions on lines that data providers serve: what is bought and proved. Steps of a transaction."""

from sqlalchemy import Connection

from kswifi.esim.lines.service import find_esim, set_supplied_state
from kswifi.esim.model import ESim, LineKind, ProfileState
from kswifi.esim.ports import StorageProof
from kswifi.sessions.card.packets import note_proof
from kswifi.sessions.ending import ON_THE_CARD
from kswifi.sessions.errors import LINE_IN_USE, NO_SESSION_ON_ESIM
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState, allows
from kswifi.sessions.store import find_session, sessions_on
from kswifi.sessions.transitions import move_session
from kswifi.supply.lines import SuppliedLines
from kswifi.supply.records import ProviderOrder

DRAWABLE = (SessionState.TRANSFERRING, SessionState.STORED, SessionState.ACTIVE)


def require_free_line(connection: Connection, esim: ESim, session: InternetSession) -> None:
    """Refuse a transfer to a provider's line while another session is on it: its bundle would start by itself.

    Raises:
        LINE_IN_USE: another session is in use on this line.
    """
    if esim.is_card:
        return
    busy = (*ON_THE_CARD, SessionState.TRANSFERRING)
    others = [it for it in sessions_on(connection, esim.esim_id) if it.session_id != session.session_id]
    if any(it.state in busy for it in others):
        raise LINE_IN_USE("use up the session that is on this line first; then continue with this one")


def buy_for_session(connection: Connection, lines: SuppliedLines, session: InternetSession) -> ProviderOrder:
    """Store the intent to buy the next bundle of a session.

    Raises:
        NO_SESSION_ON_ESIM: the session was not transferred yet, or is over.
        and as ``SuppliedLines.intend``.
    """
    if session.state not in DRAWABLE:
        raise NO_SESSION_ON_ESIM("bring this session to your line first", state=str(session.state))
    return lines.intend(
        connection,
        session_id=session.session_id,
        line_id=session.esim_id,
        offer_id=session.offer_id,
        allowance_octets=session.allowance_octets or 0,
    )


def prove(connection: Connection, session_id: str, proof: StorageProof) -> InternetSession:
    """Store a provider's proof that the phone has the session, unless there is one; return the session."""
    session = find_session(connection, session_id)
    if session.storage_proof is None and session.state is SessionState.TRANSFERRING:
        note_proof(connection, session_id, proof)
        if find_esim(connection, session.esim_id).kind is LineKind.PROFILE:
            set_supplied_state(connection, session.esim_id, ProfileState.INSTALLED)
    return find_session(connection, session_id)


def fail_purchase(connection: Connection, session_id: str, reason: str) -> None:
    """Take the session back to its package when its bundle was not bought; the person may try again."""
    session = find_session(connection, session_id)
    if session.storage_proof is None and allows(session.state, SessionEvent.TRANSFER_FAILED):
        esim = find_esim(connection, session.esim_id)
        if esim.kind is LineKind.PROFILE:
            set_supplied_state(connection, session.esim_id, ProfileState.ALLOCATED)
            move_session(connection, session, SessionEvent.TRANSFER_FAILED, reason)

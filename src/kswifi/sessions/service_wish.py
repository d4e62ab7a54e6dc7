"""Whether a data provider's line shall carry data, computed from its sessions and its hold."""

from typing import Final

from sqlalchemy import Connection

from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import ESim, Hold, LineKind
from kswifi.sessions.model import SessionState
from kswifi.sessions.store import sessions_on
from kswifi.supply.switching import is_supplied, want_service

_ON_THE_LINE: Final = (SessionState.TRANSFERRING, SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)


def project_service(connection: Connection, esim_id: str) -> None:
    """Store whether the line shall carry data, where a data provider issued its profile; else do nothing.

    Called in each transaction that changes a session or the hold of a line. The supply worker then switches the
    line, until the provider confirms. A line that the person has is never switched: it is theirs.
    """
    if not is_supplied(connection, esim_id):
        return
    esim = find_esim(connection, esim_id)
    wish = None if esim.kind is LineKind.OWN_LINE else service_wish(connection, esim)
    if wish is not None:
        on, used_up = wish
        want_service(connection, esim_id, on=on, used_up=used_up)


def service_wish(connection: Connection, esim: ESim) -> tuple[bool, bool] | None:
    """Return whether a line shall carry data, and whether it shall not only because its session is used up.

    None while no session was brought to the line.
    """
    if esim.frozen:
        return False, False
    sessions = sessions_on(connection, esim.esim_id)
    if any(it.state in _ON_THE_LINE for it in sessions):
        return esim.hold is not Hold.PAUSED, False
    ended = [it for it in sessions if it.storage_proof is not None]
    if not ended:
        return None
    return False, ended[0].state is SessionState.EXHAUSTED

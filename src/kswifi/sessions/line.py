"""An internet session on its eSIM: transfer to the card, and the switch of the line.

The ledger owns the state of a line. A change is written here as a wish and carried to the ledger by the outbox.
"""

from datetime import datetime

from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.esim.lines.service import find_esim, wish_for
from kswifi.esim.model import ESim
from kswifi.session_package.errors import PackageExpiredError
from kswifi.sessions import jobs
from kswifi.sessions.card import slots
from kswifi.sessions.ending import ON_THE_CARD
from kswifi.sessions.errors import (
    NO_SESSION_ON_ESIM,
    PACKAGE_NOT_READY,
    PAUSE_NOT_OFFERED,
    SESSION_IS_FOR_ANOTHER_ESIM,
)
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState
from kswifi.sessions.store import find_session, live, sessions_on
from kswifi.sessions.supplied import require_free_line
from kswifi.sessions.transitions import move_session
from kswifi.supply.store import pauses


class ESIMSessionManager:
    """Stores sessions on eSIMs, switches their lines and reports their usage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store_session_on_esim(self, session_id: str, esim_id: str) -> InternetSession:
        """Begin to bring a session onto the eSIM it was made for.

        The session is ``transferring`` then, and ``stored`` only once the card has proved that it holds the
        record and the ledger has taken the proof. Idempotent while it is under way.

        Raises:
            UnknownSessionError, UnknownEsimError: there is none.
            SESSION_IS_FOR_ANOTHER_ESIM: the session was made for another eSIM.
            PACKAGE_NOT_READY: its package is being signed.
            PackageExpiredError: its validity is over.
            ILLEGAL_TRANSITION: it is not downloaded yet, or is past that.
        """
        return await self._database.write(lambda connection: _transfer(connection, session_id, esim_id))

    async def activate_stored_session(self, esim_id: str, session_id: str | None = None) -> ESim:
        """Request that the line is switched on; return the eSIM with the hold confirmed so far.

        If the card holds several sessions, ``session_id`` names the one to use next. The session becomes ``active``
        with its first octet, not before. Idempotent.

        Raises:
            UnknownEsimError: there is none.
            NO_SESSION_ON_ESIM: nothing stored on it could be used: it has to be transferred first, or is over.
        """
        return await self._database.write(
            lambda connection: switch_line(connection, esim_id, pause=False, session_id=session_id)
        )

    async def pause(self, esim_id: str) -> ESim:
        """Request that the line is put on hold; result and errors are those of ``activate_stored_session``."""
        return await self._database.write(lambda connection: switch_line(connection, esim_id, pause=True))


def _transfer(connection: Connection, session_id: str, esim_id: str) -> InternetSession:
    """Start a transfer, as ``ESIMSessionManager.store_session_on_esim``, within a step.

    The package is not verified again: it is our own, and its digest was confirmed by the device that fetched it.
    """
    session, esim = find_session(connection, session_id), find_esim(connection, esim_id)
    if session.esim_id != esim.esim_id:
        raise SESSION_IS_FOR_ANOTHER_ESIM(
            f"this session was made for the eSIM {session.esim_id}",
            esim_id=session.esim_id,
            this_esim_id=esim.esim_id,
        )
    if session.package_sha256 is None:
        raise PACKAGE_NOT_READY("the package is being signed: ask again in a moment", retry_after_seconds=1)
    if transaction_instant(connection) >= session.valid_until:
        until = session.valid_until.isoformat()
        raise PackageExpiredError(f"the package was valid until {until}", valid_until=until)
    if session.state is SessionState.TRANSFERRING:
        return session
    require_free_line(connection, esim, session)
    session = move_session(connection, session, SessionEvent.TRANSFER_STARTED)
    jobs.ask_to_deliver(connection, session)
    return session


def switch_line(
    connection: Connection,
    esim_id: str,
    *,
    pause: bool,
    session_id: str | None = None,
    pause_ends_at: datetime | None = None,
) -> ESim:
    """Request line on or pause, as ``activate_stored_session`` and ``pause``, within the caller's step.

    A pause ends by itself at ``pause_ends_at``, if that is named.
    """
    esim = find_esim(connection, esim_id)
    sessions = sessions_on(connection, esim.esim_id)
    usable = [it.session_id for it in sessions if it.state in ON_THE_CARD]
    if not usable or (session_id is not None and session_id not in usable):
        furthest = live(sessions)
        raise NO_SESSION_ON_ESIM(
            "this session is not stored on this eSIM" if usable else "no session is stored on this eSIM",
            esim_id=esim_id,
            state=None if furthest is None else str(furthest.state),
        )
    if pause and not esim.is_card and not pauses(connection, esim.esim_id):
        raise PAUSE_NOT_OFFERED("switch mobile data off on the phone: this line cannot be paused here")
    line = slots.line_of(connection, esim.esim_id)
    chooses = session_id is not None and len(usable) > 1 and session_id != line.chosen_session_id
    if chooses:
        slots.change_line(connection, esim.esim_id, chosen_session_id=session_id)
    wish = wish_for(connection, esim, pause=pause, pause_ends_at=pause_ends_at, anew=chooses)
    if wish is not None:
        jobs.ask_for_line(connection, esim.esim_id, wish)
    return find_esim(connection, esim.esim_id)

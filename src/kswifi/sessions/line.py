"""Sessions on their eSIM: store, activate, pause, track usage, cut off.

The ledger owns the line's state. A method here stores the owner's request, and an outbox entry brings it to the
ledger. The state returned here is what the projector last read from the ledger.
"""

from datetime import datetime

from sqlalchemy import Connection

from kswifi.database.engine import Database
from kswifi.esim.lines.service import find_esim, wish_for
from kswifi.esim.model import ESim, Hold
from kswifi.session_package.codec import verify_package
from kswifi.sessions import jobs
from kswifi.sessions.card import slots
from kswifi.sessions.ending import ON_THE_CARD, cut_off_if_exhausted
from kswifi.sessions.errors import NoSessionOnEsimError
from kswifi.sessions.model import CutOff, InternetSession, SessionEvent, SessionState, UsageData
from kswifi.sessions.signing import SessionSigningKey
from kswifi.sessions.store import find_session, get_balance, live, move_session, sessions_on

_ENDED_IN_THE_LEDGER = (SessionState.EXPIRED, SessionState.REVOKED)


class ESIMSessionManager:
    """Stores sessions on eSIMs, switches their lines and reports their usage."""

    def __init__(self, database: Database, signing_key: SessionSigningKey) -> None:
        self._database = database
        self._signing_key = signing_key

    async def store_session_on_esim(self, session_data: bytes) -> InternetSession:
        """Start the transfer of a package's session to the eSIM that it was made for.

        The session becomes ``transferring``. It becomes ``stored`` only after the card has proved that it holds the
        record and the ledger has accepted the proof. Idempotent while the transfer is under way.

        Raises:
            PackageError: the package is damaged, expired or not signed by this installation.
            UnknownSessionError: no such session.
            IllegalTransitionError: the session is not downloaded yet, or is past the transfer.
        """
        now = self._database.clock.now()
        package = verify_package(session_data, self._signing_key.public_keys, None, now)

        def transfer(connection: Connection) -> InternetSession:
            session = find_session(connection, package.manifest.session_id)
            if session.state is SessionState.TRANSFERRING:
                return session
            session = move_session(connection, session, SessionEvent.TRANSFER_STARTED)
            jobs.ask_to_deliver(connection, session)
            return session

        return await self._database.write(transfer)

    async def activate_stored_session(self, esim_id: str, session_id: str | None = None) -> ESim:
        """Request that the line is switched on; return the eSIM with the hold confirmed so far.

        If the card holds several sessions, ``session_id`` names the one to use next. The session becomes ``active``
        with its first octet, not before. Idempotent.

        Raises:
            UnknownEsimError: no such eSIM.
            NoSessionOnEsimError: no stored session is usable: not transferred yet, or ended.
        """
        return await self._database.write(
            lambda connection: switch_line(connection, esim_id, pause=False, session_id=session_id)
        )

    async def pause(self, esim_id: str) -> ESim:
        """Request that the line is put on hold; result and errors are those of ``activate_stored_session``."""
        return await self._database.write(lambda connection: switch_line(connection, esim_id, pause=True))

    async def track_session_usage(self, esim_id: str) -> UsageData:
        """Return the usage of the eSIM's session, as last read from the ledger.

        Raises:
            UnknownEsimError: no such eSIM.
            NoSessionOnEsimError: the eSIM never had a session.
        """

        def look(connection: Connection) -> UsageData:
            esim = find_esim(connection, esim_id)
            return self.usage(connection, self._carried(connection, esim), esim)

        return await self._database.read(look)

    @staticmethod
    def usage(connection: Connection, session: InternetSession, esim: ESim) -> UsageData:
        """Return the usage of one session."""
        balance, as_of = get_balance(connection, session.session_id)
        return UsageData(
            esim_id=esim.esim_id,
            session_id=session.session_id,
            state=session.state,
            allowance_octets=session.allowance_octets,
            balance=balance,
            as_of=as_of,
            valid_until=session.valid_until,
            hold=esim.hold,
        )

    async def cut_off_when_exhausted(self, esim_id: str) -> CutOff:
        """Ensure that the line of an exhausted session is on hold; return what the network has confirmed.

        The ledger sets the hold in the batch that commits the last octet, with one exception: the owner chose to
        continue with the next session and there is none. Then the projector requests the hold, and so does this
        method. ``cut_off`` is True only once the hold is confirmed. Idempotent.

        Raises:
            UnknownEsimError: no such eSIM.
            NoSessionOnEsimError: the eSIM never had a session.
        """

        def change(connection: Connection) -> tuple[ESim, InternetSession, datetime | None]:
            esim = find_esim(connection, esim_id)
            session = self._carried(connection, esim)
            cut_off_if_exhausted(connection, session)
            _, as_of = get_balance(connection, session.session_id)
            return esim, session, as_of

        esim, session, as_of = await self._database.write(change)
        return CutOff(
            esim_id=esim.esim_id,
            session_id=session.session_id,
            state=session.state,
            cut_off=session.state in _ENDED_IN_THE_LEDGER
            or (session.state is SessionState.EXHAUSTED and esim.hold is not None)
            or esim.hold is Hold.EXHAUSTED,
            hold=esim.hold,
            as_of=as_of,
        )

    @staticmethod
    def _carried(connection: Connection, esim: ESim) -> InternetSession:
        sessions = sessions_on(connection, esim.esim_id)
        if not sessions:
            raise NoSessionOnEsimError("no session was ever on this eSIM", esim_id=esim.esim_id)
        return live(sessions) or sessions[0]


def switch_line(connection: Connection, esim_id: str, *, pause: bool, session_id: str | None = None) -> ESim:
    """Request line on or pause, as ``activate_stored_session`` and ``pause``, within the caller's step."""
    esim = find_esim(connection, esim_id)
    sessions = sessions_on(connection, esim.esim_id)
    usable = [it.session_id for it in sessions if it.state in ON_THE_CARD]
    if not usable or (session_id is not None and session_id not in usable):
        furthest = live(sessions)
        raise NoSessionOnEsimError(
            "this session is not stored on this eSIM" if usable else "no session is stored on this eSIM",
            esim_id=esim_id,
            state=None if furthest is None else str(furthest.state),
        )
    line = slots.line_of(connection, esim.esim_id)
    chooses = session_id is not None and len(usable) > 1 and session_id != line.chosen_session_id
    if chooses:
        slots.change_line(connection, esim.esim_id, chosen_session_id=session_id)
    wish = wish_for(connection, esim, pause=pause, anew=chooses)
    if wish is not None:
        jobs.ask_for_line(connection, esim.esim_id, wish)
    return find_esim(connection, esim.esim_id)

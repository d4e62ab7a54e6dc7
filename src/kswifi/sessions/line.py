"""What becomes of a session on its eSIM: stored, switched on and off, counted, cut off.

The line's state is the ledger's. What is asked for here is noted as a wish and carried there by the outbox; what is
told from here is what the projector read back.
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
    """Sessions on their eSIMs."""

    def __init__(self, database: Database, signing_key: SessionSigningKey) -> None:
        self._database = database
        self._signing_key = signing_key

    async def store_session_on_esim(self, session_data: bytes) -> InternetSession:
        """Begin to bring the session of a package onto the eSIM it was made for.

        The session is ``transferring`` then, and ``stored`` only once the card has proved that it holds the
        record and the ledger has taken the proof. While it is under way, again is no error.

        Raises:
            PackageError: the package is damaged, expired or not ours.
            UnknownSessionError: the session is not known here.
            IllegalTransitionError: it is not downloaded yet, or is past that.
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
        """Switch the line on; return it with the hold that the network has confirmed so far.

        Of several sessions on the card the named one is used next.

        The session is active with its first octet, not before. Asked again, nothing more is done.

        Raises:
            UnknownEsimError: there is none.
            NoSessionOnEsimError: nothing stored on it could be used: it has to be transferred first, or is over.
        """
        return await self._database.write(
            lambda connection: switch_line(connection, esim_id, pause=False, session_id=session_id)
        )

    async def pause(self, esim_id: str) -> ESim:
        """Switch the line off, as ``activate_stored_session`` switches it on."""
        return await self._database.write(lambda connection: switch_line(connection, esim_id, pause=True))

    async def track_session_usage(self, esim_id: str) -> UsageData:
        """Return how the eSIM's session stands, as the ledger last told it.

        Raises:
            UnknownEsimError: there is none.
            NoSessionOnEsimError: it never carried one.
        """

        def look(connection: Connection) -> UsageData:
            esim = find_esim(connection, esim_id)
            return self.usage(connection, self._carried(connection, esim), esim)

        return await self._database.read(look)

    @staticmethod
    def usage(connection: Connection, session: InternetSession, esim: ESim) -> UsageData:
        """Return how one session stands."""
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
        """Make sure that an exhausted session's line is on hold; return what the network has confirmed.

        The ledger puts it on hold in the same batch that commits the last octet, unless the owner had chosen to
        continue with a next session and there is none: then the projector asks for the hold, and so does this.
        ``cut_off`` is True only once the hold is confirmed. Asked again, the same.

        Raises:
            UnknownEsimError: there is none.
            NoSessionOnEsimError: it never carried a session.
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
    """Switch a line on or off, as ``ESIMSessionManager.activate_stored_session`` and ``pause``, within a step."""
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

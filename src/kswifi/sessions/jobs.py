"""The outbox entries of sessions: their kinds, keys and payloads, in one place for those who ask and who do."""

from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.kernel.ids import uuid7
from kswifi.outbox.service import enqueue
from kswifi.sessions.model import InternetSession

PREPARE: Final = "session.prepare"
DELIVER: Final = "session.deliver"
DISBURSE: Final = "session.disburse"
PROVE_STORAGE: Final = "session.prove_storage"
REVOKE: Final = "session.revoke"
EXPIRE: Final = "session.expire"
LINE: Final = "line.apply_wish"
CUT_OFF: Final = "line.cut_off"
ARRANGE: Final = "line.arrange"


def ask_to_prepare(connection: Connection, session: InternetSession) -> None:
    """Credit the allowance in the ledger and sign the package."""
    _ask(connection, PREPARE, session.session_id, session)


def ask_to_expire(connection: Connection, session: InternetSession) -> None:
    """End the session when its validity is over: asked for at its order, worked at that instant."""
    enqueue(
        connection,
        kind=EXPIRE,
        key=f"{EXPIRE}:{session.session_id}",
        payload={"session_id": session.session_id},
        run_at=session.valid_until,
    )


def ask_to_deliver(connection: Connection, session: InternetSession) -> None:
    """Make the profile ready for the card. Each transfer is a new piece of work."""
    attempt = uuid7(transaction_instant(connection))
    _ask(connection, DELIVER, f"{session.session_id}:{attempt}", session)


def ask_to_disburse(connection: Connection, session_id: str, released_octets: int) -> None:
    """Credit a session in the ledger with what is released of it by now."""
    enqueue(
        connection,
        kind=DISBURSE,
        key=f"{DISBURSE}:{session_id}:{released_octets}",
        payload={"session_id": session_id, "released_octets": released_octets},
    )


def ask_to_prove_storage(connection: Connection, session_id: str) -> None:
    """Tell the ledger that the card's proof was verified."""
    key, payload = f"{PROVE_STORAGE}:{session_id}", {"session_id": session_id}
    enqueue(connection, kind=PROVE_STORAGE, key=key, payload=payload)


def ask_to_revoke(connection: Connection, session: InternetSession, reason: str) -> None:
    """End the session's account in the ledger."""
    _ask(connection, REVOKE, f"{session.session_id}:{reason}", session, reason=reason)


def ask_for_line(connection: Connection, esim_id: str, wish: int) -> None:
    """Bring the line to what its owner wants."""
    enqueue(connection, kind=LINE, key=f"{LINE}:{esim_id}:{wish}", payload={"esim_id": esim_id})


def ask_to_arrange(connection: Connection, esim_id: str, wish: int) -> None:
    """Bring a line's order of use, and its switch for the next session, to what its owner wants."""
    enqueue(connection, kind=ARRANGE, key=f"{ARRANGE}:{esim_id}:{wish}", payload={"esim_id": esim_id})


def ask_to_cut_off(connection: Connection, session: InternetSession) -> None:
    """Put the line of an exhausted session on hold, where the ledger has not done so by itself."""
    _ask(connection, CUT_OFF, session.session_id, session)


def _ask(connection: Connection, kind: str, name: str, session: InternetSession, **more: str) -> None:
    payload = {"session_id": session.session_id, **more}
    enqueue(connection, kind=kind, key=f"{kind}:{name}", payload=payload)

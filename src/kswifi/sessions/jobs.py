"""The outbox entries of sessions: their kinds, keys and payloads, used by those who add and handle them."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.kernel.clock import unix_seconds
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
FREEZE: Final = "line.freeze"
CUT_OFF: Final = "line.cut_off"
ARRANGE: Final = "line.arrange"
END_HOLD: Final = "line.end_hold"


def ask_to_prepare(connection: Connection, session: InternetSession) -> None:
    """Request the credit of the allowance in the ledger and the signing of the package."""
    _ask(connection, PREPARE, session.session_id, session)


def ask_to_expire(connection: Connection, session: InternetSession) -> None:
    """Request the end of the session at ``valid_until``; added with the order, due at that instant."""
    enqueue(
        connection,
        kind=EXPIRE,
        key=f"{EXPIRE}:{session.session_id}",
        payload={"session_id": session.session_id},
        run_at=session.valid_until,
    )


def ask_to_deliver(connection: Connection, session: InternetSession) -> None:
    """Request that the profile is made ready for the card. Each transfer adds a new entry."""
    attempt = uuid7(transaction_instant(connection))
    _ask(connection, DELIVER, f"{session.session_id}:{attempt}", session)


def ask_to_disburse(connection: Connection, session_id: str, released_octets: int) -> None:
    """Request a ledger credit up to ``released_octets``, the total released so far."""
    enqueue(
        connection,
        kind=DISBURSE,
        key=f"{DISBURSE}:{session_id}:{released_octets}",
        payload={"session_id": session_id, "released_octets": released_octets},
    )


def ask_to_prove_storage(connection: Connection, session_id: str) -> None:
    """Request that the ledger accepts the verified proof of storage."""
    key, payload = f"{PROVE_STORAGE}:{session_id}", {"session_id": session_id}
    enqueue(connection, kind=PROVE_STORAGE, key=key, payload=payload)


def ask_to_revoke(connection: Connection, session: InternetSession, reason: str) -> None:
    """Request the end of the session's account in the ledger."""
    _ask(connection, REVOKE, f"{session.session_id}:{reason}", session, reason=reason)


def ask_for_line(connection: Connection, esim_id: str, wish: int) -> None:
    """Request that the ledger applies the owner's newest choice: line on, or paused."""
    enqueue(connection, kind=LINE, key=f"{LINE}:{esim_id}:{wish}", payload={"esim_id": esim_id})


def ask_to_end_hold(connection: Connection, esim_id: str, reason: str, ends_at: datetime) -> None:
    """Request that the ledger ends the hold of a line for a reason, at the end that this hold has."""
    enqueue(
        connection,
        kind=END_HOLD,
        key=f"{END_HOLD}:{esim_id}:{reason}:{unix_seconds(ends_at)}",
        payload={"esim_id": esim_id, "reason": reason, "ends_at": unix_seconds(ends_at)},
        run_at=ends_at,
    )


def ask_to_arrange(connection: Connection, esim_id: str, wish: int) -> None:
    """Request that the ledger applies the owner's newest order of use and continue switch."""
    enqueue(connection, kind=ARRANGE, key=f"{ARRANGE}:{esim_id}:{wish}", payload={"esim_id": esim_id})


def ask_to_freeze(connection: Connection, esim_id: str, wish: int) -> None:
    """Request that the ledger freezes or thaws the line, as was wished last."""
    enqueue(connection, kind=FREEZE, key=f"{FREEZE}:{esim_id}:{wish}", payload={"esim_id": esim_id})


def ask_to_cut_off(connection: Connection, session: InternetSession) -> None:
    """Request the hold of an exhausted session's line, if the ledger has not set it by itself."""
    _ask(connection, CUT_OFF, session.session_id, session)


def _ask(connection: Connection, kind: str, name: str, session: InternetSession, **more: str) -> None:
    payload = {"session_id": session.session_id, **more}
    enqueue(connection, kind=kind, key=f"{kind}:{name}", payload=payload)

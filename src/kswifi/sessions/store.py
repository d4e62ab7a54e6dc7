"""Read and write sessions: the only place that writes a state; it publishes the change in the same transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.engine import Row

from kswifi.database.engine import transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.esim.model import Hold, LineKind
from kswifi.esim.ports import StorageProof
from kswifi.esim.sql import esim
from kswifi.kernel.numbers import Iccid
from kswifi.kernel.pages import Page, PageRequest
from kswifi.outbox.model import Payload
from kswifi.outbox.service import publish, publish_all
from kswifi.sessions.errors import UnknownSessionError
from kswifi.sessions.model import (
    LIVE_STATES,
    Balance,
    InternetSession,
    SessionEvent,
    SessionOverview,
    SessionSource,
    SessionState,
    UsageData,
    next_state,
)
from kswifi.sessions.sql import internet_session, session_balance, session_package, session_timeline

STATE_CHANGED = "session_state_changed"
BALANCE_CHANGED = "session_balance_changed"
LINE_CHANGED = "line_changed"
LIMIT_REACHED = "line_limit_reached"
"""The event that the limit of the day has stopped a line, with the instant at which it comes back by itself."""

_FURTHEST = tuple(SessionState)
_t = internet_session.c
_COLUMNS = (
    _t.session_id,
    _t.user_id,
    _t.esim_id,
    _t.offer_id,
    _t.free,
    _t.allowance_octets,
    _t.state,
    _t.state_reason,
    _t.ordered_at,
    _t.valid_until,
    _t.package_sha256,
    _t.package_octets,
    _t.storage_proof,
    _t.activated_at,
    _t.pass_period_id,
    _t.source,
    _t.sent_octets,
    _t.received_octets,
    _t.moved_to,
)
# Built once: building a statement costs more than executing it.
_BY_ID = select(*_COLUMNS).where(_t.session_id == bindparam("wanted"))
_START_USAGE = (
    update(internet_session)
    .where(_t.session_id == bindparam("wanted"))
    .values(state=bindparam("following"), state_reason=None, activated_at=bindparam("instant"))
)
_NOTE_STATE = insert(session_timeline)
_BALANCE_COLUMNS = (
    session_balance.c.credited,
    session_balance.c.used,
    session_balance.c.reserved,
    session_balance.c.available,
    session_balance.c.overrun,
    session_balance.c.expired,
    session_balance.c.revoked,
    session_balance.c.withheld,
)
_OF_USER = (
    select(*_COLUMNS, esim.c.iccid, esim.c.kind, esim.c.hold, *_BALANCE_COLUMNS, session_balance.c.as_of)
    .select_from(
        internet_session.join(esim, esim.c.esim_id == _t.esim_id).outerjoin(
            session_balance, session_balance.c.session_id == _t.session_id
        )
    )
    .where(_t.user_id == bindparam("wanted_user"))
)
_OVERVIEWS = PagedQuery(_OF_USER, _t.session_id, newest_first=True)
_OVERVIEW = _OF_USER.where(_t.session_id == bindparam("wanted"))


def find_session(connection: Connection, session_id: str, user_id: str | None = None) -> InternetSession:
    """Return a session; with ``user_id``, only a session of that user.

    Raises:
        UnknownSessionError: no such session, or it belongs to another user.
    """
    try:
        canonical = str(UUID(session_id))
    except ValueError:
        raise UnknownSessionError("there is no such session", session_id=session_id[:64]) from None
    row = connection.execute(_BY_ID, {"wanted": canonical}).one_or_none()
    if row is None or (user_id is not None and row.user_id != user_id):
        raise UnknownSessionError("there is no such session", session_id=canonical)
    return _read(row)


def overviews_of(connection: Connection, user_id: str, page: PageRequest) -> Page[SessionOverview]:
    """Return a page of a user's sessions with cards and balances, the newest first."""
    return _OVERVIEWS.read(connection, page, _overview, wanted_user=user_id)


def find_overview(connection: Connection, user_id: str, session_id: str) -> SessionOverview:
    """Return one session of a user, which exists, with its card and its balance."""
    return _overview(connection.execute(_OVERVIEW, {"wanted_user": user_id, "wanted": session_id}).one())


def sessions_on(connection: Connection, esim_id: str) -> list[InternetSession]:
    """Return the sessions of an eSIM, the newest first, at most 100."""
    query = select(*_COLUMNS).where(_t.esim_id == esim_id).order_by(_t.session_id.desc()).limit(100)
    return [_read(row) for row in connection.execute(query)]


def ordered_with(connection: Connection, user_id: str, idempotency_key: str) -> InternetSession | None:
    """Return the session that the user ordered with this idempotency key, None without one."""
    query = select(*_COLUMNS).where(_t.user_id == user_id, _t.idempotency_key == idempotency_key)
    row = connection.execute(query).one_or_none()
    return None if row is None else _read(row)


def add_session(connection: Connection, session: InternetSession, idempotency_key: str) -> None:
    """Insert a new session and publish its state."""
    connection.execute(
        insert(internet_session).values(
            session_id=session.session_id,
            user_id=session.user_id,
            esim_id=session.esim_id,
            offer_id=session.offer_id,
            free=session.free,
            allowance_octets=session.allowance_octets,
            state=session.state,
            ordered_at=session.ordered_at,
            valid_until=session.valid_until,
            idempotency_key=idempotency_key,
            pass_period_id=session.pass_period_id,
            source=session.source,
            received_octets=session.received_octets,
        )
    )
    _note_states(connection, [(session.session_id, session.ordered_at)], session.state)
    publish_state(connection, session, None)


def write_state(
    connection: Connection,
    /,
    session: InternetSession,
    following: SessionState,
    reason: str | None = None,
    **columns: object,
) -> InternetSession:
    """Write a session's next state with other columns; return it as it is then. For ``move_session`` only."""
    written = connection.execute(
        update(internet_session)
        .where(_t.session_id == session.session_id)
        .values(state=following, state_reason=reason and reason[:200], **columns)
        .returning(*_COLUMNS)
    )
    _note_states(connection, [(session.session_id, transaction_instant(connection))], following, reason)
    return _read(written.one())


def write_usage_starts(connection: Connection, activated_at: Mapping[str, datetime]) -> list[InternetSession]:
    """Make stored sessions active with the instants of their first octets; return them as they are then.

    Sessions in other states, and ids of no session here, are passed over. ``transitions.start_usage`` adds what
    follows from it.
    """
    query = select(*_COLUMNS).where(_t.session_id.in_(activated_at), _t.state == SessionState.STORED)
    stored = {row.session_id: _read(row) for row in connection.execute(query)}
    sessions = [stored[session_id] for session_id in activated_at if session_id in stored]
    if not sessions:
        return []
    following = next_state(SessionState.STORED, SessionEvent.USAGE_STARTED)
    connection.execute(
        _START_USAGE,
        [
            {"wanted": it.session_id, "following": following, "instant": activated_at[it.session_id]}
            for it in sessions
        ],
    )
    _note_states(connection, [(it.session_id, activated_at[it.session_id]) for it in sessions], following)
    return [replace(it, state=following, state_reason=None) for it in sessions]


@dataclass(frozen=True, slots=True)
class PastState:
    """A state that a session has come into, and when."""

    session_id: str
    state: SessionState
    reason: str | None
    at: datetime


def timeline_of(connection: Connection, session_ids: Collection[str], limit: int = 1000) -> list[PastState]:
    """Return the states that sessions have come into, the oldest first, at most ``limit``."""
    t = session_timeline.c
    query = select(t.session_id, t.state, t.reason, t.at).where(t.session_id.in_(session_ids))
    rows = connection.execute(query.order_by(t.sequence).limit(limit))
    return [PastState(row.session_id, SessionState(row.state), row.reason, row.at) for row in rows]


def _note_states(
    connection: Connection, instants: Sequence[tuple[str, datetime]], state: SessionState, reason: str | None = None
) -> None:
    """Write the timeline's entries of sessions that come into a state, each with its instant."""
    connection.execute(
        _NOTE_STATE,
        [
            {"session_id": session_id, "state": state, "reason": reason and reason[:200], "at": at}
            for session_id, at in instants
        ],
    )


def note_sent(connection: Connection, session_id: str, octets: int) -> None:
    """Add octets to those that left a session for others; negative if they came back."""
    connection.execute(
        update(internet_session).where(_t.session_id == session_id).values(sent_octets=_t.sent_octets + octets)
    )


def note_moved(connection: Connection, session_id: str, moved_to: str) -> None:
    """Store the session that continues another one on a new eSIM."""
    connection.execute(update(internet_session).where(_t.session_id == session_id).values(moved_to=moved_to))


def put_package(connection: Connection, session_id: str, package: bytes) -> None:
    """Store the signed package."""
    connection.execute(insert(session_package).values(session_id=session_id, package=package))


def get_package(connection: Connection, session_id: str) -> bytes | None:
    """Return the signed package, None if it is not signed yet."""
    query = select(session_package.c.package).where(session_package.c.session_id == session_id)
    package: bytes | None = connection.execute(query).scalar_one_or_none()
    return package


def get_record(connection: Connection, session_id: str) -> bytes | None:
    """Return the signed session record for the card, None if it is not signed yet."""
    query = select(_t.session_record).where(_t.session_id == session_id)
    record: bytes | None = connection.execute(query).scalar_one_or_none()
    return record


def get_balance(connection: Connection, session_id: str) -> tuple[Balance, datetime | None]:
    """Return the balance and the instant of its newest effect; zeros and None before the ledger has the account."""
    query = select(*_BALANCE_COLUMNS, session_balance.c.as_of).where(session_balance.c.session_id == session_id)
    row = connection.execute(query).one_or_none()
    return (Balance(), None) if row is None else (Balance(*row[:-1]), row.as_of)


def live(sessions: list[InternetSession]) -> InternetSession | None:
    """Return the live session of an eSIM that is furthest in the order of states, None without one."""
    alive = [session for session in sessions if session.state in LIVE_STATES]
    return max(alive, key=lambda session: _FURTHEST.index(session.state), default=None)


def in_state(sessions: list[InternetSession], *states: SessionState) -> InternetSession | None:
    """Return the newest session in one of these states."""
    return next((session for session in sessions if session.state in states), None)


def publish_state(connection: Connection, session: InternetSession, previous: SessionState | None) -> None:
    """Publish the event that a session has come into its state."""
    publish(connection, user_id=session.user_id, kind=STATE_CHANGED, payload=_state_payload(session, previous))


def publish_states(connection: Connection, sessions: Iterable[InternetSession], previous: SessionState) -> None:
    """Publish for each session the event that it has come into its state."""
    publish_all(connection, STATE_CHANGED, [(it.user_id, _state_payload(it, previous)) for it in sessions])


def _state_payload(session: InternetSession, previous: SessionState | None) -> Payload:
    return {
        "session_id": session.session_id,
        "esim_id": session.esim_id,
        "state": str(session.state),
        "previous_state": previous and str(previous),
        "reason": session.state_reason,
    }


def _overview(row: Row[*tuple[Any, ...]]) -> SessionOverview:
    session = _read(row)
    balance = Balance() if row.as_of is None else Balance(*(getattr(row, it.name) for it in _BALANCE_COLUMNS))
    usage = UsageData(
        esim_id=session.esim_id,
        session_id=session.session_id,
        state=session.state,
        allowance_octets=session.allowance_octets,
        balance=balance,
        as_of=row.as_of,
        valid_until=session.valid_until,
        hold=None if row.hold is None else Hold(row.hold),
    )
    iccid = None if row.iccid is None else Iccid(row.iccid)
    return SessionOverview(session, iccid, usage, LineKind(row.kind))


def _read(row: Row[*tuple[Any, ...]]) -> InternetSession:
    return InternetSession(
        session_id=row.session_id,
        user_id=row.user_id,
        esim_id=row.esim_id,
        offer_id=row.offer_id,
        free=row.free,
        allowance_octets=row.allowance_octets,
        state=SessionState(row.state),
        state_reason=row.state_reason,
        ordered_at=row.ordered_at,
        valid_until=row.valid_until,
        package_sha256=row.package_sha256,
        package_octets=row.package_octets,
        storage_proof=None if row.storage_proof is None else StorageProof(row.storage_proof),
        activated_at=row.activated_at,
        pass_period_id=row.pass_period_id,
        source=SessionSource(row.source),
        sent_octets=row.sent_octets,
        received_octets=row.received_octets,
        moved_to=row.moved_to,
    )

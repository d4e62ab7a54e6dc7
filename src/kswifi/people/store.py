"""Read and write transfers. A state is changed by one compare-and-set of its row, which publishes the change."""

from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, or_, select, update
from sqlalchemy.engine import Row

from kswifi.database.engine import transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.pages import Page, PageRequest
from kswifi.outbox.service import publish
from kswifi.people.model import (
    OPEN_STATES,
    OctetTransfer,
    TransferEvent,
    TransferKind,
    TransferState,
    next_state,
)
from kswifi.people.sql import octet_transfer
from kswifi.sessions.model import LIVE_STATES
from kswifi.sessions.sql import internet_session

GIFT_CHANGED: Final = "gift_changed"
"""The event of a changed transfer, published to the giver and to the receiver."""

OF_SESSION_LIMIT: Final = 100
_t: Final = octet_transfer.c
_OF_USER: Final = PagedQuery(
    select(octet_transfer).where(
        or_(_t.giver_id == bindparam("wanted_user"), _t.receiver_id == bindparam("wanted_user"))
    ),
    _t.transfer_id,
    newest_first=True,
)
_NAMES: Final = tuple(it.name for it in fields(OctetTransfer))


def add_transfer(connection: Connection, transfer: OctetTransfer) -> None:
    """Insert a new transfer and publish it."""
    connection.execute(insert(octet_transfer).values({name: getattr(transfer, name) for name in _NAMES}))
    _publish(connection, transfer)


def find_transfer(connection: Connection, transfer_id: str) -> OctetTransfer | None:
    """Return a transfer by its id; None if there is none."""
    return _one(connection, _t.transfer_id == transfer_id)


def find_by_code(connection: Connection, code: str) -> OctetTransfer | None:
    """Return a gift by its code; None if there is none."""
    return _one(connection, _t.code == code)


def find_into(connection: Connection, session_id: str) -> OctetTransfer | None:
    """Return the transfer that an InternetSession was ordered for; None if there is none."""
    return _one(connection, _t.to_session_id == session_id)


def change_state(
    connection: Connection, transfer: OctetTransfer, event: TransferEvent, **columns: Any
) -> OctetTransfer | None:
    """Move a transfer by an event if its row still has the state that was read; None if it has another by now.

    Raises:
        ILLEGAL_GIFT_TRANSITION: the table does not list the event for the state that was read.
    """
    following = next_state(transfer.state, event)
    if following not in OPEN_STATES:
        columns["ended_at"] = transaction_instant(connection)
    won = connection.execute(
        update(octet_transfer)
        .where(_t.transfer_id == transfer.transfer_id, _t.state == transfer.state)
        .values(state=following, **columns)
    )
    if won.rowcount != 1:
        return None
    changed = find_transfer(connection, transfer.transfer_id)
    assert changed is not None  # noqa: S101 - it was just written
    _publish(connection, changed)
    return changed


def note_reason(connection: Connection, transfer: OctetTransfer, reason: str) -> None:
    """Store why the octets shall go back once the ledger has sent them."""
    connection.execute(update(octet_transfer).where(_t.transfer_id == transfer.transfer_id).values(reason=reason))


def gifts_of(connection: Connection, user_id: str, page: PageRequest) -> Page[OctetTransfer]:
    """Return a page of the transfers that a user gave or receives, the newest first."""
    return _OF_USER.read(connection, page, _read, wanted_user=user_id)


def has_open_out_of(connection: Connection, session_id: str) -> bool:
    """Tell whether octets of a session are on their way to another one, so that they may come back."""
    query = select(_t.transfer_id).where(_t.from_session_id == session_id, _t.state.in_(OPEN_STATES)).limit(1)
    return connection.execute(query).first() is not None


def is_unsettled(connection: Connection, session_id: str) -> bool:
    """Tell whether the ledger may be about to send octets of a session, or to receive some back."""
    moving = (TransferState.OFFERED, TransferState.RETURNING)
    query = select(_t.transfer_id).where(_t.from_session_id == session_id, _t.state.in_(moving)).limit(1)
    return connection.execute(query).first() is not None


def transfers_of_session(connection: Connection, session_id: str) -> list[OctetTransfer]:
    """Return the transfers out of and into a session, the oldest first, at most 100."""
    of_it = or_(_t.from_session_id == session_id, _t.to_session_id == session_id)
    query = select(octet_transfer).where(of_it).order_by(_t.transfer_id).limit(OF_SESSION_LIMIT)
    return [_read(row) for row in connection.execute(query)]


def open_gifts(connection: Connection, giver_id: str) -> int:
    """Return the number of open gifts of a giver."""
    query = select(func.count()).where(
        _t.giver_id == giver_id, _t.kind == TransferKind.GIFT, _t.state.in_(OPEN_STATES)
    )
    return int(connection.scalar(query) or 0)


def unclaimed_of(connection: Connection, giver_id: str) -> list[OctetTransfer]:
    """Return a giver's gifts that nobody has claimed."""
    unclaimed = (TransferState.OFFERED, TransferState.SENT)
    query = select(octet_transfer).where(_t.giver_id == giver_id, _t.state.in_(unclaimed))
    return [_read(row) for row in connection.execute(query)]


def received_since(connection: Connection, receiver_id: str, since: datetime) -> tuple[int, set[str]]:
    """Return the octets of gifts that a user claimed since an instant, and their givers, without returned ones."""
    gone = (TransferState.RETURNING, TransferState.RETURNED, TransferState.REFUSED)
    query = select(_t.octets, _t.giver_id).where(
        _t.receiver_id == receiver_id,
        _t.kind == TransferKind.GIFT,
        _t.created_at > since,
        _t.state.not_in(gone),
    )
    rows = connection.execute(query).all()
    return sum(row.octets for row in rows), {row.giver_id for row in rows}


def due_to_return(connection: Connection, now: datetime, limit: int) -> list[OctetTransfer]:
    """Return transfers whose time is over, the oldest first."""
    waiting = (TransferState.SENT, TransferState.CLAIMED)
    query = (
        select(octet_transfer)
        .where(_t.state.in_(waiting), _t.expires_at <= now)
        .order_by(_t.expires_at)
        .limit(limit)
    )
    return [_read(row) for row in connection.execute(query)]


def claimed_for_ended(connection: Connection, limit: int) -> list[OctetTransfer]:
    """Return claimed transfers whose session has ended before it could receive them."""
    s = internet_session.c
    query = (
        select(octet_transfer)
        .join(internet_session, s.session_id == _t.to_session_id)
        .where(_t.state == TransferState.CLAIMED, s.state.not_in(LIVE_STATES))
        .limit(limit)
    )
    return [_read(row) for row in connection.execute(query)]


def _one(connection: Connection, condition: ColumnElement[bool]) -> OctetTransfer | None:
    row = connection.execute(select(octet_transfer).where(condition)).one_or_none()
    return None if row is None else _read(row)


def _read(row: Row[*tuple[Any, ...]]) -> OctetTransfer:
    values = {name: getattr(row, name) for name in _NAMES}
    return OctetTransfer(**{**values, "kind": TransferKind(row.kind), "state": TransferState(row.state)})


def _publish(connection: Connection, transfer: OctetTransfer) -> None:
    payload = {
        "transfer_id": transfer.transfer_id,
        "kind": str(transfer.kind),
        "state": str(transfer.state),
        "reason": transfer.reason,
        "octets": transfer.octets,
        "valid_until": unix_seconds(transfer.valid_until),
    }
    giver = {**payload, "role": "giver", "session_id": transfer.from_session_id}
    publish(connection, user_id=transfer.giver_id, kind=GIFT_CHANGED, payload=giver)
    if transfer.receiver_id is not None and transfer.receiver_id != transfer.giver_id:
        receiver = {**payload, "role": "receiver", "session_id": transfer.to_session_id}
        publish(connection, user_id=transfer.receiver_id, kind=GIFT_CHANGED, payload=receiver)

"""Download orders in their table, as synchronous steps of a transaction: where alone their state is written.

An order for a line of ours moves the line's profile state with it and tells the line's owner, all or nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update

from kswifi.database.engine import transaction_instant
from kswifi.esim.errors import IllegalProfileTransitionError
from kswifi.esim.model import ProfileEvent, ProfileState, next_profile_state
from kswifi.esim.ports import PROFILE_SETTLED
from kswifi.esim.smdp.rsp_model import ProfileOrder, reason_text
from kswifi.esim.sql import esim, profile_order
from kswifi.kernel.ids import uuid7
from kswifi.kernel.numbers import Eid
from kswifi.outbox.service import enqueue, publish

PROFILE_CHANGED: Final = "profile_state_changed"

_t = profile_order.c

ORDER_COLUMNS = (
    _t.order_id,
    _t.matching_id,
    _t.iccid,
    _t.esim_id,
    _t.package_name,
    _t.profile_state,
    _t.state_reason,
    _t.eid,
    _t.confirmation_code_digest,
    _t.confirmation_code_failures,
    _t.downloads,
    _t.expires_at,
    _t.bound_otpk,
    _t.bound_identity,
    _t.sealed_binding,
    _t.operator_id,
    _t.profile_type,
    _t.deleted_sequence,
)

_NAMES = tuple(column.name for column in ORDER_COLUMNS)
_OPEN = (ProfileState.RELEASED, ProfileState.DOWNLOADED)

# Made once: making a statement anew costs more than running it.
_SELECT = select(*ORDER_COLUMNS)
_BY_MATCHING_ID = _SELECT.where(_t.matching_id == bindparam("wanted"))
_BY_ESIM = _SELECT.where(_t.esim_id == bindparam("wanted"))
# Not IN, whose list SQLAlchemy writes anew into the statement each time.
_IS_OPEN = or_(*(_t.profile_state == state for state in _OPEN))
_OF_CARD = _SELECT.where(_t.eid == bindparam("wanted"), _IS_OPEN).order_by(_t.created_at).limit(1)
_NAMED_OF_CARD = _OF_CARD.where(_t.matching_id.is_not(None) | _t.operator_id.is_not(None))
# Not IS NULL: SQLite takes a unique index to have one row of it, and would read the stocked orders of all cards.
_HAS_NO_MATCHING_ID = func.typeof(_t.matching_id) == "null"
_STOCKED_OF_CARD = _OF_CARD.where(
    _HAS_NO_MATCHING_ID, _t.operator_id.is_(None), _t.package_name == bindparam("name")
)
_INSERT = insert(profile_order)
_UPDATE = update(profile_order).where(_t.order_id == bindparam("wanted"), _t.profile_state == bindparam("was"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What an order is made of; see ``ProfileOrder``. An order with an ``eid`` is linked to that card alone."""

    iccid: str
    matching_id: str | None = None
    esim_id: str | None = None
    package_name: str | None = None
    operator_id: str | None = None
    profile_type: str | None = None
    eid: Eid | None = None
    confirmation_code_digest: bytes | None = None
    expires_at: datetime | None = None


def place_order(connection: Connection, new: NewOrder, *events: ProfileEvent) -> ProfileOrder:
    """Make an order and take it through these events; without any it is Available (SGP.22 v2, 3.1.1).

    Raises:
        IllegalProfileTransitionError: an event is not listed for where it would be; nothing is made.
    """
    state = ProfileState.AVAILABLE
    for event in events:
        state = next_profile_state(state, event)
    now = transaction_instant(connection)
    order = ProfileOrder(
        order_id=str(uuid7(now)),
        matching_id=new.matching_id,
        iccid=new.iccid,
        esim_id=new.esim_id,
        package_name=new.package_name,
        profile_state=state,
        state_reason=None,
        eid=new.eid,
        confirmation_code_digest=new.confirmation_code_digest,
        confirmation_code_failures=0,
        downloads=0,
        expires_at=new.expires_at,
        bound_otpk=None,
        bound_identity=None,
        sealed_binding=None,
        operator_id=new.operator_id,
        profile_type=new.profile_type,
    )
    connection.execute(
        _INSERT,
        {
            "order_id": order.order_id,
            "matching_id": new.matching_id,
            "iccid": new.iccid,
            "esim_id": new.esim_id,
            "package_name": new.package_name,
            "operator_id": new.operator_id,
            "profile_type": new.profile_type,
            "profile_state": state,
            "eid": new.eid,
            "confirmation_code_digest": new.confirmation_code_digest,
            "confirmation_code_failures": 0,
            "downloads": 0,
            "expires_at": new.expires_at,
            "created_at": now,
        },
    )
    if new.esim_id is not None:
        tell_line(connection, new.esim_id, state)
    return order


def move_order(connection: Connection, order: ProfileOrder, *events: ProfileEvent, **changes: Any) -> ProfileState:
    """Take an order through these events and write the other changes with it; return where it is then.

    Raises:
        IllegalProfileTransitionError: one of them is not listed for where it was, or it was moved meanwhile;
            nothing is written.
    """
    state = order.profile_state
    for event in events:
        state = next_profile_state(state, event)
    if "state_reason" in changes:
        changes["state_reason"] = reason_text(changes["state_reason"])
    if state is order.profile_state and not changes:
        return state
    result = connection.execute(
        _UPDATE, {"wanted": order.order_id, "was": order.profile_state, "profile_state": state, **changes}
    )
    if result.rowcount != 1:
        raise IllegalProfileTransitionError("the order was moved meanwhile", order_id=order.order_id)
    if order.esim_id is not None and state is not order.profile_state:
        tell_line(connection, order.esim_id, state)
    return state


def order_by_matching_id(connection: Connection, matching_id: str) -> ProfileOrder | None:
    """Return the order with this MatchingID."""
    return _one(connection.execute(_BY_MATCHING_ID, {"wanted": matching_id}).one_or_none())


def order_of_esim(connection: Connection, esim_id: str) -> ProfileOrder | None:
    """Return the order for a line of ours."""
    return _one(connection.execute(_BY_ESIM, {"wanted": esim_id}).one_or_none())


def open_order_of_card(connection: Connection, eid: Eid, package_name: str | None = None) -> ProfileOrder | None:
    """Return the oldest open order that waits for this card; with a package's name, of that package alone.

    What anybody may order from the folder waits for no card, so without a name it is left out.
    """
    if package_name is None:
        return _one(connection.execute(_NAMED_OF_CARD, {"wanted": eid}).one_or_none())
    return _one(connection.execute(_STOCKED_OF_CARD, {"wanted": eid, "name": package_name}).one_or_none())


def read_order(row: Row[*tuple[Any, ...]]) -> ProfileOrder:
    """Return the order of a row whose last columns are ``ORDER_COLUMNS``."""
    values = tuple(row)[-len(ORDER_COLUMNS) :]  # they come last where the row has more
    named = dict(zip(_NAMES, values, strict=True))
    eid = named["eid"]
    named["profile_state"] = ProfileState(named["profile_state"])
    named["eid"] = None if eid is None else Eid.as_read(eid)
    return ProfileOrder(**named)


def _one(row: Row[*tuple[Any, ...]] | None) -> ProfileOrder | None:
    return None if row is None else read_order(row)


def tell_line(connection: Connection, esim_id: str, state: ProfileState) -> None:
    """Move a line's profile state with that of its order, and tell the line's owner."""
    user_id = connection.execute(
        update(esim).where(esim.c.esim_id == esim_id).values(profile_state=state).returning(esim.c.user_id)
    ).scalar_one()
    payload = {"esim_id": esim_id, "profile_state": str(state)}
    publish(connection, user_id=user_id, kind=PROFILE_CHANGED, payload=payload)


def note_deletion(connection: Connection, eid: Eid, iccid: str, sequence_number: int) -> int:
    """Note on a card's orders of a profile that the card has deleted it; return how many there are.

    An install result with a lower sequence number, delivered later, then says nothing of the profile any more.
    """
    earlier = or_(_t.deleted_sequence.is_(None), _t.deleted_sequence < sequence_number)
    mine = update(profile_order).where(_t.eid == eid, _t.iccid == iccid, earlier)
    return connection.execute(mine.values(deleted_sequence=sequence_number)).rowcount


def settle_line(connection: Connection, order: ProfileOrder, transaction_id: bytes, failure: str | None) -> None:
    """Enqueue how the download of a line's profile ended, once for each transaction and outcome."""
    if order.esim_id is not None:
        outcome = "" if failure is None else ":failed"
        enqueue(
            connection,
            kind=PROFILE_SETTLED,
            key=f"{PROFILE_SETTLED}:{transaction_id.hex()}{outcome}",
            payload={"esim_id": order.esim_id, "failure": failure},
        )

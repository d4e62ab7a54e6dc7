"""The table of download orders, as synchronous steps of a transaction. No other module writes an order's state.

If an order is for one of our lines, the same transaction moves the line's profile state and notifies its owner.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update

from kswifi.database.engine import transaction_instant
from kswifi.esim.errors import IllegalProfileTransitionError
from kswifi.esim.jobs import PROFILE_SETTLED
from kswifi.esim.model import ProfileEvent, ProfileState, next_profile_state
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

# Built once: compiling a statement costs more than executing it.
_SELECT = select(*ORDER_COLUMNS)
_BY_MATCHING_ID = _SELECT.where(_t.matching_id == bindparam("wanted"))
_BY_ESIM = _SELECT.where(_t.esim_id == bindparam("wanted"))
# Not IN: SQLAlchemy would render the list into the statement each time.
_IS_OPEN = or_(*(_t.profile_state == state for state in _OPEN))
_OF_CARD = _SELECT.where(_t.eid == bindparam("wanted"), _IS_OPEN).order_by(_t.created_at).limit(1)
_NAMED_OF_CARD = _OF_CARD.where(_t.matching_id.is_not(None) | _t.operator_id.is_not(None))
# Not IS NULL: SQLite assumes that a unique index has one row for it, and would scan the stocked orders of all
# cards. No matching ID is empty.
_HAS_NO_MATCHING_ID = func.coalesce(_t.matching_id, "") == ""
_STOCKED_OF_CARD = _OF_CARD.where(
    _HAS_NO_MATCHING_ID, _t.operator_id.is_(None), _t.package_name == bindparam("name")
)
_INSERT = insert(profile_order)
_UPDATE = update(profile_order).where(_t.order_id == bindparam("wanted"), _t.profile_state == bindparam("was"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """The values of a new order; see ``ProfileOrder``. With an ``eid``, only that card can download it."""

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
    """Create an order and apply these events; without events it is Available (SGP.22 v2, 3.1.1).

    Raises:
        IllegalProfileTransitionError: an event is not listed for the order's state; nothing is written.
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
    """Apply events to an order and write further changes; return the new state.

    Raises:
        IllegalProfileTransitionError: an event is not listed for the order's state, or another transaction has
            moved the order; nothing is written.
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
    """Return the oldest open order that waits for this card; with ``package_name``, only of that package.

    Without a name, orders of packages that every card may download are excluded, since they wait for no card.
    """
    if package_name is None:
        return _one(connection.execute(_NAMED_OF_CARD, {"wanted": eid}).one_or_none())
    return _one(connection.execute(_STOCKED_OF_CARD, {"wanted": eid, "name": package_name}).one_or_none())


def read_order(row: Row[*tuple[Any, ...]]) -> ProfileOrder:
    """Return the order in a row whose last columns are ``ORDER_COLUMNS``."""
    values = tuple(row)[-len(ORDER_COLUMNS) :]  # a joined row has other columns first
    named = dict(zip(_NAMES, values, strict=True))
    eid = named["eid"]
    named["profile_state"] = ProfileState(named["profile_state"])
    named["eid"] = None if eid is None else Eid.as_read(eid)
    return ProfileOrder(**named)


def _one(row: Row[*tuple[Any, ...]] | None) -> ProfileOrder | None:
    return None if row is None else read_order(row)


def tell_line(connection: Connection, esim_id: str, state: ProfileState) -> None:
    """Set a line's profile state to that of its order, and notify the line's owner."""
    user_id = connection.execute(
        update(esim).where(esim.c.esim_id == esim_id).values(profile_state=state).returning(esim.c.user_id)
    ).scalar_one()
    payload = {"esim_id": esim_id, "profile_state": str(state)}
    publish(connection, user_id=user_id, kind=PROFILE_CHANGED, payload=payload)


def note_deletion(connection: Connection, eid: Eid, iccid: str, sequence_number: int) -> int:
    """Record on a card's orders of a profile that the card has deleted it; return how many orders there are.

    An install result with a lower sequence number that arrives later is then ignored.
    """
    earlier = or_(_t.deleted_sequence.is_(None), _t.deleted_sequence < sequence_number)
    mine = update(profile_order).where(_t.eid == eid, _t.iccid == iccid, earlier)
    return connection.execute(mine.values(deleted_sequence=sequence_number)).rowcount


def settle_line(connection: Connection, order: ProfileOrder, transaction_id: bytes, failure: str | None) -> None:
    """Enqueue the result of the download of a line's profile, once for each transaction and result."""
    if order.esim_id is not None:
        outcome = "" if failure is None else ":failed"
        enqueue(
            connection,
            kind=PROFILE_SETTLED,
            key=f"{PROFILE_SETTLED}:{transaction_id.hex()}{outcome}",
            payload={"esim_id": order.esim_id, "failure": failure},
        )

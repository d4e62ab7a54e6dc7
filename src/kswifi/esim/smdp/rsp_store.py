"""The table of RspSessions, as synchronous steps of a transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from kswifi.database.engine import transaction_instant
from kswifi.esim.smdp.orders import ORDER_COLUMNS, read_order
from kswifi.esim.smdp.rsp_model import ProfileOrder, RspSessionEvent, RspSessionState, next_rsp_state
from kswifi.esim.smdp.tickets import first_id_at
from kswifi.esim.sql import profile_order, rsp_session
from kswifi.kernel.numbers import Eid
from kswifi.rsp.curves import Curve, public_key_from_point
from kswifi.rsp.messages.download import SmdpSigned2
from kswifi.rsp.smdp import PreparedDownload

_t = rsp_session.c
_PRUNE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class RspSession:
    """A transaction whose card has authenticated; ``identity`` is the CI key of the server's certificates."""

    transaction_id: bytes
    state: RspSessionState
    eid: Eid
    card_curve: Curve
    card_point: bytes
    identity: bytes
    request_digest: bytes
    smdp_signed2: bytes
    smdp_signature2: bytes
    euicc_otpk: bytes | None
    created_at: datetime

    @property
    def card_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public key of the card's verified certificate."""
        return public_key_from_point(self.card_curve, self.card_point)

    def prepared(self, smdp_certificate: bytes) -> PreparedDownload:
        """Return the data that authenticateClient sent, against which the card's next signature is verified."""
        return PreparedDownload(SmdpSigned2.decode(self.smdp_signed2), self.smdp_signature2, smdp_certificate)


def add_rsp_session(connection: Connection, opened: RspSession, order_id: str) -> None:
    """Store an RspSession for an order."""
    connection.execute(
        _INSERT,
        {
            "transaction_id": opened.transaction_id,
            "order_id": order_id,
            "state": opened.state,
            "eid": opened.eid,
            "card_curve": opened.card_curve.value,
            "card_key": opened.card_point,
            "identity": opened.identity,
            "request_digest": opened.request_digest,
            "smdp_signed2": opened.smdp_signed2,
            "smdp_signature2": opened.smdp_signature2,
            "created_at": transaction_instant(connection),
        },
    )


_COLUMNS = (
    _t.transaction_id,
    _t.state,
    _t.eid.label("card_eid"),
    _t.card_curve,
    _t.card_key,
    _t.identity,
    _t.request_digest,
    _t.smdp_signed2,
    _t.smdp_signature2,
    _t.euicc_otpk,
    _t.created_at,
)
# Built once: compiling a statement costs more than executing it.
_FIND = (
    select(*_COLUMNS, *ORDER_COLUMNS)
    .join(profile_order, profile_order.c.order_id == _t.order_id)
    .where(_t.transaction_id == bindparam("wanted"))
)
_INSERT = insert(rsp_session)
_UPDATE = update(rsp_session).where(_t.transaction_id == bindparam("wanted"))


def find_rsp_session(connection: Connection, transaction_id: bytes) -> tuple[RspSession, ProfileOrder] | None:
    """Return an RspSession and its order, or None."""
    row = connection.execute(_FIND, {"wanted": transaction_id}).one_or_none()
    if row is None:
        return None
    opened = RspSession(
        transaction_id=row.transaction_id,
        state=RspSessionState(row.state),
        eid=Eid.as_read(row.card_eid),
        card_curve=Curve(row.card_curve),
        card_point=row.card_key,
        identity=row.identity,
        request_digest=row.request_digest,
        smdp_signed2=row.smdp_signed2,
        smdp_signature2=row.smdp_signature2,
        euicc_otpk=row.euicc_otpk,
        created_at=row.created_at,
    )
    return opened, read_order(row)


def move_rsp_session(
    connection: Connection, opened: RspSession, event: RspSessionEvent, **changes: Any
) -> RspSessionState:
    """Apply an event to an RspSession and write further changes; return the new state.

    Raises:
        IllegalRspTransitionError: the event is not listed for its state; nothing is written.
    """
    state = next_rsp_state(opened.state, event)
    connection.execute(_UPDATE, {"wanted": opened.transaction_id, "state": state, **changes})
    return state


def prune_rsp_sessions(connection: Connection, before: datetime) -> int:
    """Delete a limited number of RspSessions that began before an instant; return how many."""
    old = select(_t.transaction_id).where(_t.transaction_id < first_id_at(before)).limit(_PRUNE_LIMIT)
    return connection.execute(delete(rsp_session).where(_t.transaction_id.in_(old))).rowcount

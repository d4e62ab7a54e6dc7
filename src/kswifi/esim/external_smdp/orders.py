"""Orders of our lines at an external SM-DP+, and the ES2+ calls made for them: synchronous steps of a transaction.

Each call is stored before it is made, under an identifier derived from its purpose. If its answer is lost,
the same call is repeated under the same identifier; a different call is never made in its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from kswifi.database.engine import transaction_instant
from kswifi.esim.errors import IllegalProfileTransitionError
from kswifi.esim.model import ProfileEvent, ProfileState, next_profile_state
from kswifi.esim.smdp.orders import tell_line
from kswifi.esim.smdp.rsp_model import reason_text
from kswifi.esim.sql import esim, peer_call, peer_order
from kswifi.kernel.numbers import Eid
from kswifi.outbox.results import Done, Refused
from kswifi.outbox.service import enqueue

PEER_CANCEL: Final = "esim.peer_cancel"
"""Outbox topic: cancel an order at the external SM-DP+."""

DOWNLOAD_ORDER: Final = "downloadOrder"
CONFIRM_ORDER: Final = "confirmOrder"
CANCEL_ORDER: Final = "cancelOrder"

_o = peer_order.c
_c = peer_call.c
_ORDERS: Final = (
    select(
        _o.esim_id,
        _o.attempt,
        _o.profile_state,
        _o.state_reason,
        _o.eid,
        esim.c.iccid,
        esim.c.matching_id,
        esim.c.smdp_address,
    )
    .select_from(peer_order.join(esim, esim.c.esim_id == _o.esim_id))
    .order_by(_o.attempt.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class PeerCall:
    """One ES2+ call. ``done`` is None while its outcome is unknown; ``codes`` are the status codes of a refusal."""

    identifier: str
    function: str
    body: Mapping[str, Any]
    done: bool | None
    codes: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class PeerOrder:
    """The newest order of a line at the external SM-DP+, with the calls made for it."""

    esim_id: str
    attempt: int
    profile_state: ProfileState
    state_reason: str | None
    eid: Eid | None
    iccid: str
    matching_id: str
    smdp_address: str
    calls: tuple[PeerCall, ...]

    def call(self, function: str) -> PeerCall | None:
        """Return the call of this ES2+ function, or None if it was not begun."""
        return next((it for it in self.calls if it.function == function), None)

    def is_done(self, function: str) -> bool:
        """Tell whether the external SM-DP+ has confirmed that this function was executed."""
        call = self.call(function)
        return call is not None and call.done is True

    def is_open(self, function: str) -> bool:
        """Tell whether this function was begun and its outcome is unknown."""
        call = self.call(function)
        return self.profile_state is ProfileState.ALLOCATED and call is not None and call.done is not False

    @property
    def profile_refused(self) -> bool:
        """Tell whether the order was refused because the SM-DP+ lacks the profile or denies us access to it."""
        call = self.call(DOWNLOAD_ORDER)
        return call is not None and call.codes is not None and call.codes.startswith("8.2.1/")

    @property
    def failed(self) -> bool:
        """Tell whether the order has failed: a call was refused, or a card could not install the profile."""
        return self.profile_state is ProfileState.ERROR or any(it.done is False for it in self.calls)


def order_at_peer(connection: Connection, esim_id: str) -> PeerOrder | None:
    """Return a line's newest order at the external SM-DP+; None if our own SM-DP+ has its profile."""
    return _read(connection, _o.esim_id == esim_id)


def order_at_peer_by_iccid(connection: Connection, iccid: str) -> PeerOrder | None:
    """Return the newest order at the external SM-DP+ of the line with this ICCID, or None."""
    return _read(connection, esim.c.iccid == iccid)


def open_peer_order(connection: Connection, esim_id: str, attempt: int) -> None:
    """Create an order record for a line's profile. No call is made yet."""
    state = next_profile_state(ProfileState.AVAILABLE, ProfileEvent.ALLOCATE)
    now = transaction_instant(connection)
    values = {"esim_id": esim_id, "attempt": attempt, "profile_state": state, "created_at": now}
    connection.execute(insert(peer_order).values(values))


def move_peer_order(connection: Connection, order: PeerOrder, *events: ProfileEvent, **changes: Any) -> None:
    """Apply events to an order that was read in this transaction, and notify the line's owner.

    Raises:
        IllegalProfileTransitionError: an event is not listed for the order's state; nothing is written.
    """
    state = order.profile_state
    for event in events:
        state = next_profile_state(state, event)
    if "state_reason" in changes:
        changes["state_reason"] = reason_text(changes["state_reason"])
    result = connection.execute(
        update(peer_order)
        .where(_o.esim_id == order.esim_id, _o.attempt == order.attempt, _o.profile_state == order.profile_state)
        .values(profile_state=state, **changes)
    )
    if result.rowcount != 1:
        raise IllegalProfileTransitionError("the order was moved meanwhile", esim_id=order.esim_id)
    if state is not order.profile_state:
        tell_line(connection, order.esim_id, state)


def renew_peer_order(connection: Connection, order: PeerOrder) -> None:
    """Close a failed order and create the next one, so that the line can be ordered again."""
    if order.profile_state is not ProfileState.UNAVAILABLE:
        move_peer_order(connection, order, ProfileEvent.WITHDRAW)
    open_peer_order(connection, order.esim_id, order.attempt + 1)
    tell_line(connection, order.esim_id, ProfileState.ALLOCATED)


def withdraw_at_peer(connection: Connection, esim_id: str) -> None:
    """Cancel a line's order that no card has installed; the outbox cancels it at the external SM-DP+.

    An order without any call is left unchanged, because another InternetSession of its owner may use it.
    """
    order = order_at_peer(connection, esim_id)
    if order is None or order.profile_state in (ProfileState.INSTALLED, ProfileState.UNAVAILABLE):
        return
    if order.profile_state is ProfileState.ALLOCATED and not order.calls:
        return
    move_peer_order(connection, order, ProfileEvent.WITHDRAW)
    payload = {"esim_id": esim_id, "attempt": order.attempt}
    enqueue(connection, kind=PEER_CANCEL, key=f"{PEER_CANCEL}:{esim_id}:{order.attempt}", payload=payload)


def begin_call(connection: Connection, order: PeerOrder, function: str, body: Mapping[str, Any]) -> PeerCall:
    """Store a call before it is made. A call that was stored before is returned with its original body."""
    known = order.call(function)
    if known is not None:
        return known
    call = PeerCall(f"{order.esim_id}-{order.attempt}-{function}", function, body, None, None, None)
    connection.execute(
        insert(peer_call).values(
            identifier=call.identifier,
            esim_id=order.esim_id,
            attempt=order.attempt,
            function=function,
            body=dict(body),
            asked_at=transaction_instant(connection),
        )
    )
    return call


def settle_call(connection: Connection, identifier: str, outcome: Done | Refused, codes: str | None = None) -> None:
    """Store a call's outcome, with the status codes of a refusal. Idempotent: a stored outcome is never changed."""
    reason = outcome.reason[:300] if isinstance(outcome, Refused) else None
    wanted = update(peer_call).where(_c.identifier == identifier, _c.done.is_(None))
    connection.execute(wanted.values(done=isinstance(outcome, Done), codes=codes and codes[:64], reason=reason))


def prove_installed(connection: Connection, esim_id: str) -> None:
    """Mark an order as installed because the card itself proved it, without a notification from the SM-DP+."""
    order = order_at_peer(connection, esim_id)
    if order is not None and order.profile_state in INSTALLS_FROM:
        move_peer_order(connection, order, *INSTALLS_FROM[order.profile_state])


INSTALLS_FROM: Final[Mapping[ProfileState, tuple[ProfileEvent, ...]]] = {
    ProfileState.RELEASED: (ProfileEvent.DOWNLOAD, ProfileEvent.INSTALL),
    ProfileState.DOWNLOADED: (ProfileEvent.INSTALL,),
    # A failed profile that was downloaded again: notifications can arrive in any order.
    ProfileState.ERROR: (ProfileEvent.RELEASE, ProfileEvent.DOWNLOAD, ProfileEvent.INSTALL),
}
"""The events that lead from each known state to Installed; other states are left unchanged."""


def _read(connection: Connection, condition: Any) -> PeerOrder | None:
    row = connection.execute(_ORDERS.where(condition)).one_or_none()
    if row is None:
        return None
    calls = connection.execute(
        select(_c.identifier, _c.function, _c.body, _c.done, _c.codes, _c.reason)
        .where(_c.esim_id == row.esim_id, _c.attempt == row.attempt)
        .order_by(_c.asked_at, _c.identifier)
    ).all()
    return PeerOrder(
        esim_id=row.esim_id,
        attempt=row.attempt,
        profile_state=ProfileState(row.profile_state),
        state_reason=row.state_reason,
        eid=None if row.eid is None else Eid.as_read(row.eid),
        iccid=row.iccid,
        matching_id=row.matching_id,
        smdp_address=row.smdp_address,
        calls=tuple(PeerCall(*each) for each in calls),
    )

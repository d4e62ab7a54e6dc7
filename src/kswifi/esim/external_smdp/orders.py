"""Orders of our lines at another's SM-DP+, as synchronous steps of a transaction, and the calls made for them.

A call is written down before it is made, under an identifier that follows from what it is for. So whatever becomes
of its answer, the same call can be made again, and no other in its place.
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
"""Work in the outbox: cancel an order at another's SM-DP+."""

DOWNLOAD_ORDER: Final = "downloadOrder"
CONFIRM_ORDER: Final = "confirmOrder"
CANCEL_ORDER: Final = "cancelOrder"

_o = peer_order.c
_c = peer_call.c
_ORDERS: Final = (
    select(
        *(_o.esim_id, _o.attempt, _o.profile_state, _o.state_reason, _o.eid),
        *(esim.c.iccid, esim.c.matching_id, esim.c.smdp_address),
    )
    .select_from(peer_order.join(esim, esim.c.esim_id == _o.esim_id))
    .order_by(_o.attempt.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class PeerCall:
    """One call; ``done`` is None as long as nobody knows what became of it, ``codes`` says who refused what."""

    identifier: str
    function: str
    body: Mapping[str, Any]
    done: bool | None
    codes: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class PeerOrder:
    """The newest order of a line at another's SM-DP+, with the calls that were made for it."""

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
        """Return the call of this function, None before it is made."""
        return next((it for it in self.calls if it.function == function), None)

    def is_done(self, function: str) -> bool:
        """Tell whether this function is known to have been done."""
        call = self.call(function)
        return call is not None and call.done is True

    def is_open(self, function: str) -> bool:
        """Tell whether this function was asked for, and nobody knows yet what became of it."""
        call = self.call(function)
        return self.profile_state is ProfileState.ALLOCATED and call is not None and call.done is not False

    @property
    def profile_refused(self) -> bool:
        """Whether the SM-DP+ refused the order for its profile: it does not have it, or not for us."""
        call = self.call(DOWNLOAD_ORDER)
        return call is not None and call.codes is not None and call.codes.startswith("8.2.1/")

    @property
    def failed(self) -> bool:
        """Whether nothing comes of it any more: a call was refused, or a card did not take the profile."""
        return self.profile_state is ProfileState.ERROR or any(it.done is False for it in self.calls)


def order_at_peer(connection: Connection, esim_id: str) -> PeerOrder | None:
    """Return a line's newest order at another's SM-DP+; None for a line whose profile is at our own."""
    return _read(connection, _o.esim_id == esim_id)


def order_at_peer_by_iccid(connection: Connection, iccid: str) -> PeerOrder | None:
    """Do as ``order_at_peer`` for the line with this ICCID."""
    return _read(connection, esim.c.iccid == iccid)


def open_peer_order(connection: Connection, esim_id: str, attempt: int) -> None:
    """Begin an order: its profile is the line's, and nothing was asked of the SM-DP+ yet."""
    state = next_profile_state(ProfileState.AVAILABLE, ProfileEvent.ALLOCATE)
    now = transaction_instant(connection)
    values = {"esim_id": esim_id, "attempt": attempt, "profile_state": state, "created_at": now}
    connection.execute(insert(peer_order).values(values))


def move_peer_order(connection: Connection, order: PeerOrder, *events: ProfileEvent, **changes: Any) -> None:
    """Take an order, read in this transaction, through these events; its line's owner is told.

    Raises:
        IllegalProfileTransitionError: one of them is not listed for where it was; nothing is written.
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
    """End an order of which nothing comes, and begin the next: its line can be ordered anew."""
    if order.profile_state is not ProfileState.UNAVAILABLE:
        move_peer_order(connection, order, ProfileEvent.WITHDRAW)
    open_peer_order(connection, order.esim_id, order.attempt + 1)
    tell_line(connection, order.esim_id, ProfileState.ALLOCATED)


def withdraw_at_peer(connection: Connection, esim_id: str) -> None:
    """Withdraw a line's order that no card has installed; the SM-DP+ is told of it by the outbox.

    One for which nothing was asked yet stays as it is: it may serve another session of its owner.
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
    """Write down that a call is going to be made; one that was written down already goes as it was."""
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
    """Write down what a call came to, with the codes of a refusal; what is known already stays."""
    reason = outcome.reason[:300] if isinstance(outcome, Refused) else None
    wanted = update(peer_call).where(_c.identifier == identifier, _c.done.is_(None))
    connection.execute(wanted.values(done=isinstance(outcome, Done), codes=codes and codes[:64], reason=reason))


def prove_installed(connection: Connection, esim_id: str) -> None:
    """Take a card's own proof that it has a line's profile, where the SM-DP+ has not said so."""
    order = order_at_peer(connection, esim_id)
    if order is not None and order.profile_state in INSTALLS_FROM:
        move_peer_order(connection, order, *INSTALLS_FROM[order.profile_state])


INSTALLS_FROM: Final[Mapping[ProfileState, tuple[ProfileEvent, ...]]] = {
    ProfileState.RELEASED: (ProfileEvent.DOWNLOAD, ProfileEvent.INSTALL),
    ProfileState.DOWNLOADED: (ProfileEvent.INSTALL,),
    # It failed, and was downloaded again: whoever tells of it does so in any order.
    ProfileState.ERROR: (ProfileEvent.RELEASE, ProfileEvent.DOWNLOAD, ProfileEvent.INSTALL),
}
"""How an order comes to Installed from where it is known to be; from elsewhere it does not."""


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

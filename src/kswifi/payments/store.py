"""Payments and passes in their tables: only here a state is written and published, in the caller's transaction."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.engine import Row

from kswifi.outbox.service import publish
from kswifi.payments.errors import UnknownPaymentError
from kswifi.payments.model import (
    HELD_STATES,
    OPEN_STATES,
    PassPeriod,
    PassState,
    Payment,
    PaymentEvent,
    PaymentState,
    next_payment_state,
)
from kswifi.payments.sql import REFERENCE_LENGTH, pass_period, payment

PAYMENT_CHANGED: Final = "payment_state_changed"
PASS_CHANGED: Final = "pass_changed"  # noqa: S105 - a pass, not a password

_COLUMNS = tuple(column for column in payment.c if column.name != "refund_tried_at")
_PERIOD_COLUMNS = tuple(column for column in pass_period.c if column.name != "earned_days")


def add_payment(connection: Connection, new: Payment) -> None:
    """Write the intent: before anybody outside is asked for anything."""
    values = {column.name: getattr(new, column.name) for column in _COLUMNS}
    connection.execute(insert(payment).values(values | {"state": str(new.state)}))
    _tell(connection, new, None)


def payment_of(connection: Connection, reference: str) -> Payment | None:
    """Return the payment of a reference, None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(payment.c.reference == reference)).one_or_none()
    return None if row is None else _read(row)


def find_payment(connection: Connection, reference: str, user_id: str | None = None) -> Payment:
    """Return a payment; with a user, only if it is theirs.

    Raises:
        UnknownPaymentError: there is none, or it is somebody else's.
    """
    found = None if len(reference) > REFERENCE_LENGTH else payment_of(connection, reference)
    if found is None or (user_id is not None and found.user_id != user_id):
        raise UnknownPaymentError("there is no such payment", reference=reference[:REFERENCE_LENGTH])
    return found


def payments_by_reference(connection: Connection, gateway: str, references: Collection[str]) -> dict[str, Payment]:
    """Return the payments of some references that were begun with a gateway."""
    return {
        row.reference: _read(row)
        for some in batched(sorted(references))
        for row in connection.execute(
            select(*_COLUMNS).where(payment.c.reference.in_(some), payment.c.gateway == gateway)
        )
    }


def references_settled_in(
    connection: Connection, gateway: str, sandbox: bool, from_at: datetime, to_at: datetime
) -> set[str]:
    """Return the payments with a gateway that were paid in a window, in kobo, whatever became of them since."""
    query = select(payment.c.reference).where(
        payment.c.gateway == gateway,
        payment.c.sandbox == sandbox,
        payment.c.settled_at >= from_at,
        payment.c.settled_at < to_at,
        payment.c.paid_kobo.is_not(None),
    )
    return set(connection.execute(query).scalars())


def batched(values: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """Give values in parts that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def payments_of(connection: Connection, user_id: str, limit: int = 100) -> list[Payment]:
    """Return a user's payments, the newest first."""
    query = (
        select(*_COLUMNS)
        .where(payment.c.user_id == user_id)
        .order_by(payment.c.created_at.desc(), payment.c.reference)
        .limit(limit)
    )
    return [_read(row) for row in connection.execute(query)]


def payable_of(connection: Connection, user_id: str, offer_id: str, begun_after: datetime) -> list[Payment]:
    """Return a user's payments for an offer that can still be paid and were begun lately, the newest first."""
    opened = payment.c.state == PaymentState.FAILED, payment.c.checkout_url.is_not(None)
    query = (
        select(*_COLUMNS)
        .where(
            payment.c.user_id == user_id,
            payment.c.offer_id == offer_id,
            payment.c.created_at > begun_after,
            or_(payment.c.state.in_(OPEN_STATES), and_(*opened)),
        )
        .order_by(payment.c.created_at.desc(), payment.c.reference)
    )
    return [_read(row) for row in connection.execute(query.limit(100))]


def settled_since_begun(connection: Connection, one: Payment) -> bool:
    """Tell whether another payment of the same user for the same offer has settled since this one was begun.

    Then this one is a second payment for one purchase: a purchase that is meant is begun after the last was paid.
    """
    query = select(payment.c.reference).where(
        payment.c.user_id == one.user_id,
        payment.c.offer_id == one.offer_id,
        payment.c.reference != one.reference,
        payment.c.state.in_(HELD_STATES),
        payment.c.settled_at > one.created_at,
    )
    return connection.execute(query.limit(1)).first() is not None


def count_open(connection: Connection, user_id: str) -> int:
    """Return how many payments of a user wait to be paid."""
    query = select(func.count()).where(payment.c.user_id == user_id, payment.c.state.in_(OPEN_STATES))
    return int(connection.scalar(query) or 0)


def counts(connection: Connection) -> dict[PaymentState, int]:
    """Return how many payments are in each state."""
    rows = connection.execute(select(payment.c.state, func.count()).group_by(payment.c.state))
    return {PaymentState(state): count for state, count in rows}


def needing_a_person(connection: Connection, limit: int = 100) -> list[Payment]:
    """Return the payments whose money somebody has to send back by hand, the oldest first."""
    query = select(*_COLUMNS).where(payment.c.state == PaymentState.REFUND_REFUSED).order_by(payment.c.created_at)
    return [_read(row) for row in connection.execute(query.limit(limit))]


def prune_unpaid(connection: Connection, older_than: datetime, limit: int = 500) -> int:
    """Forget a batch of payments that were never paid and can no longer be; return how many."""
    over = (PaymentState.FAILED, PaymentState.LAPSED)
    old = select(payment.c.reference).where(payment.c.state.in_(over), payment.c.created_at < older_than)
    result = connection.execute(delete(payment).where(payment.c.reference.in_(old.limit(limit))))
    return result.rowcount


def move_payment(
    connection: Connection, before: Payment, event: PaymentEvent, reason: str | None = None, **columns: object
) -> Payment:
    """Take a payment, read in this transaction, to what follows; tell of it; return it as it is then.

    Raises:
        IllegalPaymentTransitionError: the machine does not list the event; nothing is written.
    """
    following = next_payment_state(before.state, event)
    connection.execute(
        update(payment)
        .where(payment.c.reference == before.reference)
        .values(state=str(following), reason=reason and reason[:200], **columns)
    )
    moved = find_payment(connection, before.reference)
    _tell(connection, moved, before.state)
    return moved


def note_fees(connection: Connection, reference: str, fees_kobo: int) -> Payment:
    """Note the fee that the gateway took; return the payment as it is then."""
    connection.execute(update(payment).where(payment.c.reference == reference).values(fees_kobo=fees_kobo))
    return find_payment(connection, reference)


def note_returned(connection: Connection, before: Payment, total_kobo: int, at: datetime, reason: str) -> Payment:
    """Note how much has gone back in all of a payment that stays in its state; publish it; return it."""
    connection.execute(
        update(payment)
        .where(payment.c.reference == before.reference)
        .values(refund_kobo=total_kobo, refunded_at=at, reason=reason[:200])
    )
    noted = find_payment(connection, before.reference)
    _tell(connection, noted, before.state)
    return noted


def note_reason(connection: Connection, reference: str, reason: str) -> None:
    """Note why a payment is still where it is."""
    connection.execute(update(payment).where(payment.c.reference == reference).values(reason=reason[:200]))


def note_refund_try(connection: Connection, reference: str, now: datetime) -> bool:
    """Note that the gateway is about to be asked for a refund; tell whether it was asked before."""
    there = payment.c.reference == reference
    tried = connection.scalar(select(payment.c.refund_tried_at).where(there))
    if tried is None:
        connection.execute(update(payment).where(there).values(refund_tried_at=now))
    return tried is not None


def add_period(connection: Connection, new: PassPeriod) -> None:
    """Write what a payment has bought; a second one for the same payment violates a constraint."""
    values = {column.name: getattr(new, column.name) for column in _PERIOD_COLUMNS}
    connection.execute(insert(pass_period).values(values | {"state": str(new.state), "earned_days": 0}))
    _tell_pass(connection, new)


def period_of(connection: Connection, reference: str) -> PassPeriod | None:
    """Return what a payment has bought."""
    query = select(*_PERIOD_COLUMNS).where(pass_period.c.reference == reference)
    row = connection.execute(query).one_or_none()
    return None if row is None else _read_period(row)


def periods_after(connection: Connection, user_id: str, instant: datetime) -> list[PassPeriod]:
    """Return a user's periods that end after an instant and are not revoked, the earliest first."""
    query = (
        select(*_PERIOD_COLUMNS)
        .where(
            pass_period.c.user_id == user_id,
            pass_period.c.ends_at > instant,
            pass_period.c.state != PassState.REVOKED,
        )
        .order_by(pass_period.c.starts_at)
        .limit(100)
    )
    return [_read_period(row) for row in connection.execute(query)]


def all_periods_of(connection: Connection, user_id: str, limit: int) -> list[PassPeriod]:
    """Return all of a user's periods, revoked and ended ones too, the earliest first."""
    query = select(*_PERIOD_COLUMNS).where(pass_period.c.user_id == user_id)
    rows = connection.execute(query.order_by(pass_period.c.starts_at).limit(limit))
    return [_read_period(row) for row in rows]


def set_period_state(connection: Connection, period: PassPeriod, state: PassState) -> None:
    """Suspend, revoke or restore a period, and tell."""
    mine = pass_period.c.period_id == period.period_id
    connection.execute(update(pass_period).where(mine).values(state=str(state)))
    _tell_pass(connection, period)


def earned_days(connection: Connection, period_id: str) -> int:
    """Return how many days of a period are booked as earned."""
    query = select(pass_period.c.earned_days).where(pass_period.c.period_id == period_id)
    return int(connection.execute(query).scalar_one())


def note_earned_days(connection: Connection, period_id: str, days: int) -> None:
    """Note that so many days of a period are booked as earned."""
    mine = pass_period.c.period_id == period_id
    connection.execute(update(pass_period).where(mine).values(earned_days=days))


def _tell(connection: Connection, one: Payment, previous: PaymentState | None) -> None:
    publish(
        connection,
        user_id=one.user_id,
        kind=PAYMENT_CHANGED,
        payload={
            "reference": one.reference,
            "state": str(one.state),
            "previous_state": previous and str(previous),
            "reason": one.reason,
            "sandbox": one.sandbox,
        },
    )


def _tell_pass(connection: Connection, period: PassPeriod) -> None:
    publish(connection, user_id=period.user_id, kind=PASS_CHANGED, payload={"reference": period.reference})


def _read(row: Row[*tuple[Any, ...]]) -> Payment:
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return Payment(**values | {"state": PaymentState(row.state)})


def _read_period(row: Row[*tuple[Any, ...]]) -> PassPeriod:
    values = {column.name: getattr(row, column.name) for column in _PERIOD_COLUMNS}
    return PassPeriod(**values | {"state": PassState(row.state)})

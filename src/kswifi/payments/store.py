"""Rows of payments and passes. Only this module writes and publishes their states, in the caller's transaction."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import Row

from kswifi.database.pages import PagedQuery
from kswifi.kernel.pages import Page, PageRequest
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

_COLUMNS = tuple(column for column in payment.c if column.name not in ("refund_tried_at", "instrument"))
_OF_USER = PagedQuery(
    select(*_COLUMNS).where(payment.c.user_id == bindparam("wanted_user")),
    payment.c.created_at,
    payment.c.reference,
    newest_first=True,
)
_PERIOD_COLUMNS = tuple(column for column in pass_period.c if column.name != "earned_days")


def add_payment(connection: Connection, new: Payment) -> None:
    """Insert a new payment, before the gateway is called."""
    values = {column.name: getattr(new, column.name) for column in _COLUMNS}
    connection.execute(insert(payment).values(values | {"state": str(new.state)}))
    _tell(connection, new, None)


def payment_of(connection: Connection, reference: str) -> Payment | None:
    """Return the payment with a reference; None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(payment.c.reference == reference)).one_or_none()
    return None if row is None else _read(row)


def find_payment(connection: Connection, reference: str, user_id: str | None = None) -> Payment:
    """Return a payment; with ``user_id``, only if it belongs to this user.

    Raises:
        UnknownPaymentError: there is none, or it belongs to another user.
    """
    found = None if len(reference) > REFERENCE_LENGTH else payment_of(connection, reference)
    if found is None or (user_id is not None and found.user_id != user_id):
        raise UnknownPaymentError("there is no such payment", reference=reference[:REFERENCE_LENGTH])
    return found


def payments_by_reference(connection: Connection, gateway: str, references: Collection[str]) -> dict[str, Payment]:
    """Return the payments with some references that were begun with a gateway, by reference."""
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
    """Return the references of a gateway's payments that were paid in kobo in a window, in any present state."""
    query = select(payment.c.reference).where(
        payment.c.gateway == gateway,
        payment.c.sandbox == sandbox,
        payment.c.settled_at >= from_at,
        payment.c.settled_at < to_at,
        payment.c.paid_kobo.is_not(None),
    )
    return set(connection.execute(query).scalars())


def batched(values: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """Yield values in batches that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def payments_of(connection: Connection, user_id: str, limit: int = 100) -> list[Payment]:
    """Return a user's payments, the newest first."""
    return payments_page(connection, user_id, PageRequest(limit)).items


def payments_page(connection: Connection, user_id: str, page: PageRequest) -> Page[Payment]:
    """Return a page of a user's payments, the newest first."""
    return _OF_USER.read(connection, page, _read, wanted_user=user_id)


def payable_of(connection: Connection, user_id: str, offer_id: str, begun_after: datetime) -> list[Payment]:
    """Return a user's payable payments for an offer that were begun after an instant, the newest first."""
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
    """Return whether another payment of the same user for the same offer was settled after this one was begun.

    Then this is a second payment for one purchase: an intended new purchase is begun after the last one was paid.
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
    """Return the number of a user's payments that wait to be paid."""
    query = select(func.count()).where(payment.c.user_id == user_id, payment.c.state.in_(OPEN_STATES))
    return int(connection.scalar(query) or 0)


def counts(connection: Connection) -> dict[PaymentState, int]:
    """Return the number of payments in each state."""
    rows = connection.execute(select(payment.c.state, func.count()).group_by(payment.c.state))
    return {PaymentState(state): count for state, count in rows}


def needing_a_person(connection: Connection, limit: int = 100) -> list[Payment]:
    """Return the payments whose money a person has to send back, the oldest first."""
    query = select(*_COLUMNS).where(payment.c.state == PaymentState.REFUND_REFUSED).order_by(payment.c.created_at)
    return [_read(row) for row in connection.execute(query.limit(limit))]


def prune_unpaid(connection: Connection, older_than: datetime, limit: int = 500) -> int:
    """Delete a batch of payments that were never paid and can no longer be paid; return their number."""
    over = (PaymentState.FAILED, PaymentState.LAPSED)
    old = select(payment.c.reference).where(payment.c.state.in_(over), payment.c.created_at < older_than)
    result = connection.execute(delete(payment).where(payment.c.reference.in_(old.limit(limit))))
    return result.rowcount


def move_payment(
    connection: Connection, before: Payment, event: PaymentEvent, reason: str | None = None, **columns: object
) -> Payment:
    """Move a payment, read in this transaction, to the state after an event; publish it; return the new payment.

    Raises:
        IllegalPaymentTransitionError: the state machine does not list the event; nothing is written.
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
    """Store the gateway's fee; return the updated payment."""
    connection.execute(update(payment).where(payment.c.reference == reference).values(fees_kobo=fees_kobo))
    return find_payment(connection, reference)


def note_returned(connection: Connection, before: Payment, total_kobo: int, at: datetime, reason: str) -> Payment:
    """Store the total returned of a payment that stays in its state; publish it; return the updated payment."""
    connection.execute(
        update(payment)
        .where(payment.c.reference == before.reference)
        .values(refund_kobo=total_kobo, refunded_at=at, reason=reason[:200])
    )
    noted = find_payment(connection, before.reference)
    _tell(connection, noted, before.state)
    return noted


def note_reason(connection: Connection, reference: str, reason: str) -> None:
    """Store why a payment stays in its state."""
    connection.execute(update(payment).where(payment.c.reference == reference).values(reason=reason[:200]))


def note_refund_try(connection: Connection, reference: str, now: datetime) -> bool:
    """Store that a refund is about to be requested; return whether one was requested before."""
    there = payment.c.reference == reference
    tried = connection.scalar(select(payment.c.refund_tried_at).where(there))
    if tried is None:
        connection.execute(update(payment).where(there).values(refund_tried_at=now))
    return tried is not None


def add_period(connection: Connection, new: PassPeriod) -> None:
    """Insert the pass period of a payment; a second one for the same payment violates a constraint."""
    values = {column.name: getattr(new, column.name) for column in _PERIOD_COLUMNS}
    connection.execute(insert(pass_period).values(values | {"state": str(new.state), "earned_days": 0}))
    _tell_pass(connection, new)


def period_of(connection: Connection, reference: str) -> PassPeriod | None:
    """Return the pass period of a payment; None if there is none."""
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
    """Return all of a user's periods, including revoked and ended ones, the earliest first."""
    query = select(*_PERIOD_COLUMNS).where(pass_period.c.user_id == user_id)
    rows = connection.execute(query.order_by(pass_period.c.starts_at).limit(limit))
    return [_read_period(row) for row in rows]


def set_period_state(connection: Connection, period: PassPeriod, state: PassState) -> None:
    """Set the state of a period, and publish it."""
    mine = pass_period.c.period_id == period.period_id
    connection.execute(update(pass_period).where(mine).values(state=str(state)))
    _tell_pass(connection, period)


def earned_days(connection: Connection, period_id: str) -> int:
    """Return the number of days of a period that are booked as earned."""
    query = select(pass_period.c.earned_days).where(pass_period.c.period_id == period_id)
    return int(connection.execute(query).scalar_one())


def note_earned_days(connection: Connection, period_id: str, days: int) -> None:
    """Store the number of days of a period that are booked as earned."""
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

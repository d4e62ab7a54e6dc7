"""Everything that happened to a customer, in order, each with its source."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from kswifi.accounts.identifiers import SECURITY_EVENT
from kswifi.desk.audit import actions_on
from kswifi.desk.customers import Customer
from kswifi.outbox.sql import domain_event
from kswifi.sessions.store import timeline_of
from kswifi.vouchers.sql import voucher, voucher_batch

_EVENTS: Final = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. ``source`` names the record that it comes from; ``about`` is an id to look it up."""

    at: datetime
    source: str
    words: str
    about: str = ""


def timeline(connection: Connection, customer: Customer) -> list[Moment]:
    """Return a customer's history, the newest first."""
    found = [
        Moment(customer.created_at, "account", "signed up", customer.user_id),
        *_states(connection, customer),
        *_payments(customer),
        *_disputes(customer),
        *_vouchers(connection, customer.user_id),
        *_security(connection, customer.user_id),
        *_actions(connection, customer),
    ]
    return sorted(found, key=lambda it: it.at, reverse=True)


def _states(connection: Connection, customer: Customer) -> Iterator[Moment]:
    offers = {it.session.session_id: it.session.offer_id for it in customer.sessions}
    for it in timeline_of(connection, list(offers)):
        reason = "" if it.reason is None else f" ({it.reason})"
        yield Moment(it.at, "session", f"{offers[it.session_id]} {it.state}{reason}", it.session_id)


def _payments(customer: Customer) -> Iterator[Moment]:
    for it in customer.payments:
        yield Moment(it.created_at, "payment", f"began to pay {it.title}", it.reference)
        if it.settled_at is not None:
            yield Moment(it.settled_at, "payment", f"paid {it.title}", it.reference)
        if it.refunded_at is not None:
            yield Moment(it.refunded_at, "payment", f"{it.title} was refunded", it.reference)


def _disputes(customer: Customer) -> Iterator[Moment]:
    for it in customer.disputes:
        yield Moment(it.created_at, "dispute", "disputed the statement", it.session_id)
        if it.answered_at is not None:
            yield Moment(it.answered_at, "dispute", "got an answer", it.session_id)


def _vouchers(connection: Connection, user_id: str) -> Iterator[Moment]:
    query = (
        select(voucher.c.redeemed_at, voucher_batch.c.venue, voucher.c.serial)
        .join_from(voucher, voucher_batch, voucher.c.batch_id == voucher_batch.c.batch_id)
        .where(voucher.c.user_id == user_id)
    )
    for row in connection.execute(query):
        yield Moment(row.redeemed_at, "voucher", f"redeemed a voucher of {row.venue}", str(row.serial))


def _security(connection: Connection, user_id: str) -> Iterator[Moment]:
    """Yield the security events of the last days; domain events are pruned."""
    t = domain_event.c
    query = select(t.at, t.payload).where(t.user_id == user_id, t.kind == SECURITY_EVENT)
    for row in connection.execute(query.order_by(t.sequence.desc()).limit(_EVENTS)):
        yield Moment(row.at, "security", str(row.payload.get("what", "")).replace("_", " "))


def _actions(connection: Connection, customer: Customer) -> Iterator[Moment]:
    for it in actions_on(connection, list(_subjects(customer))):
        why = f": {it.reason}" if it.reason else ""
        yield Moment(it.at, "desk", f"{it.who} ({it.role}): {it.command}{why}", it.subject)


def _subjects(customer: Customer) -> Iterable[str]:
    yield customer.user_id
    yield from (it.session.session_id for it in customer.sessions)
    yield from (it.esim_id for it in customer.lines)
    yield from (it.reference for it in customer.payments)

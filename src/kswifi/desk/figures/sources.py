"""The sources of the figures: which days each has changed since it was last read, and its figures of a day.

A figure of a day is a function of rows that belong to that day and never change, or are final once the day is over.
So a day can be computed again at any time, and the result is what following along has stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, func, select, type_coerce

from kswifi.accounts.sql import user_account
from kswifi.books.model import Account
from kswifi.books.sql import book_entry, book_line
from kswifi.charging_records.sql import charging_hour
from kswifi.database.engine import transaction_instant
from kswifi.desk.figures.model import (
    Cell,
    Span,
    Sums,
    days_between,
    dimensions_of,
    reason_dimension,
    span_of,
)
from kswifi.free_data.sql import free_budget_day, free_grant
from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.kernel.local_days import local_day
from kswifi.payments.sql import payment
from kswifi.sessions.model import SessionState
from kswifi.sessions.sql import internet_session, session_timeline
from kswifi.vouchers.sql import voucher, voucher_batch, voucher_use

CLOSED_AFTER: Final = timedelta(hours=1)
"""How long after its end a day is closed: by then the charging data records of its last hour are written."""

_BATCH: Final = 500

Changed = tuple[list[date], int]
"""The days that have changed, and the source's new position."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source of figures.

    Attributes:
        name: the key of its position.
        figures: the names that it computes, and no other source does.
        changed: takes the position, None before the first time; returns the days to compute anew.
        of_day: computes the figures of one local day.
    """

    name: str
    figures: frozenset[str]
    changed: Callable[[Connection, int | None, tzinfo], Changed]
    of_day: Callable[[Connection, Span], Mapping[Cell, int]]


def _since(
    first: date | None, connection: Connection, position: int | None, zone: tzinfo, back: int = 0
) -> Changed:
    """Return the days since the last time, or since the first row; the position is this instant."""
    now = transaction_instant(connection)
    today = local_day(now, zone)
    begin = first if position is None else local_day(from_unix_seconds(position), zone) - timedelta(days=back)
    return ([] if begin is None else days_between(min(begin, today), today)), unix_seconds(now)


def _accounts_changed(connection: Connection, position: int | None, zone: tzinfo) -> Changed:
    first = connection.scalar(select(func.min(user_account.c.created_at)))
    return _since(None if first is None else local_day(first, zone), connection, position, zone)


def _accounts_of(connection: Connection, span: Span) -> Mapping[Cell, int]:
    t = user_account.c.created_at
    query = select(func.count()).select_from(user_account).where(t >= span.begins_at, t < span.ends_at)
    return {(span.day, "sign_ups", ""): int(connection.scalar(query) or 0)}


_NAMES: Final[dict[str, str]] = {
    SessionState.ORDERED: "orders",
    SessionState.DOWNLOADED: "downloads",
    SessionState.STORED: "stored",
    SessionState.ACTIVE: "activated",
    SessionState.EXHAUSTED: "exhausted",
    SessionState.EXPIRED: "expired",
    SessionState.REVOKED: "revoked",
    SessionState.FAILED: "failures",
}
_BELONGS: Final = (
    internet_session.outerjoin(free_grant, free_grant.c.session_id == internet_session.c.session_id)
    .outerjoin(voucher_use, voucher_use.c.session_id == internet_session.c.session_id)
    .outerjoin(voucher_batch, voucher_batch.c.batch_id == voucher_use.c.batch_id)
)
"""Sessions with the budget that pays and the venue whose voucher was used."""

_OWNERS: Final = (internet_session.c.offer_id, free_grant.c.budget_id, voucher_batch.c.venue)


def _timeline_changed(connection: Connection, position: int | None, zone: tzinfo) -> Changed:
    t = session_timeline.c
    newest = int(connection.scalar(select(func.max(t.sequence))) or 0)
    return _days_of(connection, t.at, and_(t.sequence > (position or 0), t.sequence <= newest), zone), newest


def _days_of(
    connection: Connection, instants: ColumnElement[datetime], condition: ColumnElement[bool], zone: tzinfo
) -> list[date]:
    """Return the local days of some rows' instants."""
    # One row for each quarter of an hour: the days of every time zone begin with one.
    quarter = type_coerce(instants, BigInteger) // (15 * 60 * 1_000_000)
    query = select(func.min(instants)).where(condition).group_by(quarter)
    return sorted({local_day(at, zone) for at in connection.scalars(query)})


def _timeline_of(connection: Connection, span: Span) -> Mapping[Cell, int]:
    t = session_timeline.c
    first_octet = t.at == internet_session.c.activated_at
    counted = and_(t.at >= span.begins_at, t.at < span.ends_at, t.state.in_(tuple(_NAMES)))
    query = (
        select(t.state, t.reason, first_octet.label("first"), *_OWNERS, func.count().label("sessions"))
        .select_from(session_timeline.join(_BELONGS, internet_session.c.session_id == t.session_id))
        .where(counted)
        .group_by(t.state, t.reason, first_octet, *_OWNERS)
    )
    sums = Sums()
    for row in connection.execute(query):
        dimensions = dimensions_of(row.offer_id, row.budget_id, row.venue)
        # A transfer that failed leads back to ``downloaded``, with the reason.
        failed = row.state == SessionState.FAILED or (
            row.state == SessionState.DOWNLOADED and row.reason is not None
        )
        if failed:
            sums.add(span.day, "failures", row.sessions, [*dimensions, reason_dimension(row.reason)])
        elif row.state != SessionState.ACTIVE or row.first:  # a pause that ends leads to ``active`` again
            sums.add(span.day, _NAMES[row.state], row.sessions, dimensions)
    return sums.values


def _usage_changed(connection: Connection, position: int | None, zone: tzinfo) -> Changed:
    """Return the days since the day before the last time: records are written a little after the usage."""
    first = connection.scalar(select(func.min(charging_hour.c.hour_at)))
    return _since(None if first is None else local_day(first, zone), connection, position, zone, back=1)


def _usage_of(connection: Connection, span: Span) -> Mapping[Cell, int]:
    t = charging_hour.c
    within = and_(t.hour_at >= span.begins_at, t.hour_at < span.ends_at)
    query = (
        select(*_OWNERS, func.sum(t.octets).label("octets"))
        .select_from(charging_hour.join(_BELONGS, internet_session.c.session_id == t.account_id))
        .where(within)
        .group_by(*_OWNERS)
    )
    sums = Sums()
    for row in connection.execute(query):
        dimensions = dimensions_of(row.offer_id, row.budget_id, row.venue)
        sums.add(span.day, "octets", int(row.octets), dimensions)
    sums.add(span.day, "active_1", _people(connection, span))
    return sums.values


def _people(connection: Connection, span: Span, days: int = 1) -> int:
    """Return how many people used octets in the days up to and with a day."""
    t = charging_hour.c
    begins_at = span.begins_at - timedelta(days=days - 1)
    query = (
        select(func.count(func.distinct(internet_session.c.user_id)))
        .select_from(charging_hour.join(internet_session, internet_session.c.session_id == t.account_id))
        .where(t.hour_at >= begins_at, t.hour_at < span.ends_at, t.octets > 0)
    )
    return int(connection.scalar(query) or 0)


def _windows_changed(connection: Connection, position: int | None, zone: tzinfo) -> Changed:
    """Return the days that have been closed since the last time; the position is the last closed one's number."""
    closed = local_day(transaction_instant(connection) - CLOSED_AFTER, zone) - timedelta(days=1)
    if position is None:
        first = connection.scalar(select(func.min(charging_hour.c.hour_at)))
        begin = closed + timedelta(days=1) if first is None else local_day(first, zone)
    else:
        begin = date.fromordinal(position) + timedelta(days=1)
    return days_between(begin, closed), closed.toordinal()


def _windows_of(connection: Connection, span: Span) -> Mapping[Cell, int]:
    return {(span.day, f"active_{days}", ""): _people(connection, span, days) for days in (7, 30)}


def _vouchers_changed(connection: Connection, position: int | None, zone: tzinfo) -> Changed:
    first = connection.scalar(select(func.min(voucher.c.redeemed_at)))
    return _since(None if first is None else local_day(first, zone), connection, position, zone)


def _vouchers_of(connection: Connection, span: Span) -> Mapping[Cell, int]:
    t, b = voucher.c, voucher_batch.c
    query = (
        select(b.venue, b.budget_id, func.count().label("vouchers"))
        .join_from(voucher, voucher_batch, t.batch_id == b.batch_id)
        .where(t.redeemed_at >= span.begins_at, t.redeemed_at < span.ends_at)
        .group_by(b.venue, b.budget_id)
    )
    sums = Sums()
    for row in connection.execute(query):
        sums.add(span.day, "vouchers", row.vouchers, dimensions_of(None, row.budget_id, row.venue))
    return sums.values


_MONEY: Final[dict[str, tuple[str, int]]] = {
    Account.EARNED_REVENUE: ("revenue", -1),
    Account.SPONSORED_REVENUE: ("sponsored", -1),
    Account.COST_OF_DATA: ("cost", 1),
    Account.GATEWAY_FEES: ("fees", 1),
}
"""The figures that are the movement of an account, and the sign that makes the usual direction positive."""


def _book_changed(connection: Connection, position: int | None, zone: tzinfo) -> Changed:
    t = book_entry.c
    newest = int(connection.scalar(select(func.max(t.number))) or 0)
    return _days_of(connection, t.at, and_(t.number > (position or 0), t.number <= newest), zone), newest


def _book_of(connection: Connection, span: Span) -> Mapping[Cell, int]:
    e, line = book_entry.c, book_line.c
    query = (
        select(e.reference, line.account, line.amount_kobo)
        .join_from(book_entry, book_line, e.number == line.number)
        .where(e.at >= span.begins_at, e.at < span.ends_at)
    )
    rows = connection.execute(query).all()
    owners = _owners_of(connection, {row.reference.split(":")[1] for row in rows if ":" in row.reference})
    sums = Sums()
    for row in rows:
        subject = row.reference.split(":")[1] if ":" in row.reference else ""
        dimensions = owners.get(subject, [])
        if row.account in _MONEY:
            name, sign = _MONEY[row.account]
            sums.add(span.day, name, sign * row.amount_kobo, dimensions)
        elif row.account == Account.REFUNDS_OWED and row.amount_kobo > 0:  # a debt to a payer that was paid
            sums.add(span.day, "refunds", row.amount_kobo, dimensions)
    return sums.values


def _owners_of(connection: Connection, subjects: set[str]) -> dict[str, list[str]]:
    """Return the dimensions of payments and free sessions, by reference and id."""
    found: dict[str, list[str]] = {}
    names = sorted(subjects)
    for start in range(0, len(names), _BATCH):
        some = names[start : start + _BATCH]
        of_payments = select(payment.c.reference, payment.c.offer_id).where(payment.c.reference.in_(some))
        found |= {row.reference: dimensions_of(row.offer_id, None, None) for row in connection.execute(of_payments)}
        of_sessions = select(internet_session.c.session_id, *_OWNERS).select_from(_BELONGS)
        for row in connection.execute(of_sessions.where(internet_session.c.session_id.in_(some))):
            found[row.session_id] = dimensions_of(row.offer_id, row.budget_id, row.venue)
    return found


def _reserved_changed(connection: Connection, _position: int | None, _zone: tzinfo) -> Changed:
    """Return every day of the budgets: what an old day has committed changes until its sessions end."""
    days = connection.scalars(select(free_budget_day.c.day).distinct()).all()
    return [date.fromisoformat(day) for day in sorted(days)], 0


def _reserved_of(connection: Connection, span: Span) -> Mapping[Cell, int]:
    t = free_budget_day.c
    sums = Sums()
    for row in connection.execute(select(t.budget_id, t.committed_kobo).where(t.day == span.day)):
        sums.add(span.day, "cost_reserved", row.committed_kobo, dimensions_of(None, row.budget_id or None, None))
    return sums.values


SOURCES: Final = (
    Source("accounts", frozenset({"sign_ups"}), _accounts_changed, _accounts_of),
    Source("timeline", frozenset(_NAMES.values()), _timeline_changed, _timeline_of),
    Source("usage", frozenset({"octets", "active_1"}), _usage_changed, _usage_of),
    Source("windows", frozenset({"active_7", "active_30"}), _windows_changed, _windows_of),
    Source("vouchers", frozenset({"vouchers"}), _vouchers_changed, _vouchers_of),
    Source("book", frozenset({"revenue", "sponsored", "cost", "fees", "refunds"}), _book_changed, _book_of),
    Source("reserved", frozenset({"cost_reserved"}), _reserved_changed, _reserved_of),
)
"""All sources; together they compute every figure once."""


def computed(connection: Connection, source: Source, day: date, zone: tzinfo) -> Mapping[Cell, int]:
    """Return the figures of a local day from one source."""
    return source.of_day(connection, span_of(day, zone))

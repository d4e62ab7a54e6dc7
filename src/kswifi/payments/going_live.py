"""Going live: what was bought and booked in a sandbox must not count with real money.

When a gateway that moves real money is configured, every pass that was bought in a sandbox is revoked, and every
sandbox entry in the book is reversed by a further entry. The sandbox balances become zero; all entries are kept.
"""

from collections import defaultdict
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, exists, func, literal, or_, select

from kswifi.books.model import Account
from kswifi.books.service import post
from kswifi.books.sql import book_entry, book_line
from kswifi.database.engine import Database, transaction_instant
from kswifi.payments import jobs
from kswifi.payments.model import PassState
from kswifi.payments.sql import gateway_item, payment
from kswifi.payments.store import period_of, set_period_state

BATCH: Final = 100
_CLOSED: Final = ":sandbox_closed"
_GATEWAYS_CLOSED: Final = "gateway:sandbox_closed"


async def close_rehearsal(database: Database) -> int:
    """Revoke the passes of sandbox payments and reverse their bookings; return the number of these payments."""
    closed, last = 0, ""
    while True:
        references = await database.write(partial(_close_some, after=last), alone=True)
        closed += len(references)
        if len(references) < BATCH:
            await database.write(_close_items, alone=True)
            return closed
        last = references[-1]


def _close_some(connection: Connection, after: str) -> list[str]:
    """Close the next payments after a reference; return their references."""
    references = _not_closed(connection, after)
    for reference in references:
        _close(connection, reference)
    return references


def _not_closed(connection: Connection, after: str) -> list[str]:
    """Return paid sandbox payments (which are therefore in the book) that are not closed."""
    name = literal("payment:") + payment.c.reference
    booked = exists().where(book_entry.c.reference.in_([name + ":settled", name + ":unassigned"]))
    closed = exists().where(book_entry.c.reference == name + _CLOSED)
    query = select(payment.c.reference).where(payment.c.sandbox, payment.c.reference > after, booked, ~closed)
    return list(connection.execute(query.order_by(payment.c.reference).limit(BATCH)).scalars())


def _close(connection: Connection, reference: str) -> None:
    period = period_of(connection, reference)
    mine = [book_entry.c.reference.startswith(f"payment:{reference}:", autoescape=True)]
    if period is not None:
        mine.append(book_entry.c.reference.startswith(f"pass:{period.period_id}:", autoescape=True))
        if period.state is not PassState.REVOKED:
            set_period_state(connection, period, PassState.REVOKED)
            jobs.ask_to_end_sessions(connection, reference)
    _undo(connection, or_(*mine), f"payment:{reference}{_CLOSED}")


def _close_items(connection: Connection) -> None:
    """Reverse the payouts and unclaimed receipts of sandboxes, and delete the stored items of their gateways."""
    booked = book_entry.c.reference.startswith("gateway:") & book_entry.c.kind.startswith(
        "sandbox_", autoescape=True
    )
    closings = select(func.count()).where(book_entry.c.reference.startswith(_GATEWAYS_CLOSED))
    number = connection.execute(closings).scalar_one()
    _undo(connection, booked, f"{_GATEWAYS_CLOSED}:{number}")
    connection.execute(delete(gateway_item).where(gateway_item.c.sandbox))


def _undo(connection: Connection, entries: ColumnElement[bool], reference: str) -> None:
    """Post the negated sum of some entries; nothing if the sum is zero."""
    joined = book_line.join(book_entry, book_entry.c.number == book_line.c.number)
    rows = connection.execute(
        select(book_line.c.account, book_line.c.amount_kobo).select_from(joined).where(entries)
    )
    standing: defaultdict[Account, int] = defaultdict(int)
    for account, amount in rows:
        standing[Account(account)] += amount
    lines = [(account, -amount) for account, amount in standing.items() if amount]
    if lines:
        now = transaction_instant(connection)
        post(connection, reference=reference, kind="sandbox_closed", lines=lines, at=now)

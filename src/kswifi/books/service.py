"""Posting entries to the book, and reading it.

A capability needs only `post`:

    await post(
        connection,                              # of the caller's own transaction: both happen, or neither
        reference=f"payment:{reference}",        # names the fact for good; posting it again changes nothing
        kind="payment_settled",
        lines=[(Account.CASH_AT_GATEWAY, 80_000), (Account.DEFERRED_REVENUE, -80_000)],
        at=settled_at,                           # when it happened
    )

Amounts are whole kobo; plus is a debit, minus a credit. There is no other way to write an entry, and no way to
change one: a further entry corrects a mistake.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select

from kswifi.books.errors import ReferenceConflictError
from kswifi.books.model import KIND_LIMIT, REFERENCE_LIMIT, Account, BookEntry, Line, checked_lines
from kswifi.books.sql import book_entry, book_line
from kswifi.database.engine import transaction_instant

PAGE: Final = 500


def post(connection: Connection, *, reference: str, kind: str, lines: Iterable[Line], at: datetime) -> int:
    """Write one entry in the caller's transaction; return its number.

    Idempotent: if an entry has the same reference, kind and lines, its number is returned and nothing is written.
    So work that is repeated after a crash is booked once.

    Raises:
        UnbalancedEntryError: the lines do not sum to zero, or there are none.
        ReferenceConflictError: the reference exists with another kind or other lines.
    """
    if not (0 < len(reference) <= REFERENCE_LIMIT and 0 < len(kind) <= KIND_LIMIT):
        raise ValueError(f"{reference!r} or {kind!r} is empty or too long")
    kept = checked_lines(lines)
    there = connection.execute(select(book_entry).where(book_entry.c.reference == reference)).one_or_none()
    if there is not None:
        if there.kind != kind or _lines_of(connection, there.number) != kept:
            raise ReferenceConflictError(
                f"{reference} is booked already, as something else", reference=reference, number=there.number
            )
        return int(there.number)
    number = int(connection.scalar(select(func.coalesce(func.max(book_entry.c.number), 0))) or 0) + 1
    connection.execute(
        insert(book_line),
        [{"number": number, "account": str(account), "amount_kobo": amount} for account, amount in kept],
    )
    connection.execute(
        insert(book_entry).values(
            number=number, reference=reference, kind=kind, at=at, recorded_at=transaction_instant(connection)
        )
    )
    return number


def balances(connection: Connection) -> Mapping[Account, int]:
    """Return the balance of every account in kobo; together they sum to zero."""
    rows = connection.execute(
        select(book_line.c.account, func.sum(book_line.c.amount_kobo)).group_by(book_line.c.account)
    )
    found = {Account(account): int(amount) for account, amount in rows}
    return {account: found.get(account, 0) for account in Account}


def entries_after(connection: Connection, number: int) -> list[BookEntry]:
    """Return a page of the entries after a number, in order; fewer than ``PAGE`` entries mean the last page."""
    query = select(book_entry).where(book_entry.c.number > number).order_by(book_entry.c.number).limit(PAGE)
    return [
        BookEntry(row.number, row.reference, row.kind, row.at, row.recorded_at, _lines_of(connection, row.number))
        for row in connection.execute(query).all()
    ]


def _lines_of(connection: Connection, number: int) -> tuple[Line, ...]:
    query = (
        select(book_line.c.account, book_line.c.amount_kobo)
        .where(book_line.c.number == number)
        .order_by(book_line.c.account)
    )
    return tuple((Account(row.account), row.amount_kobo) for row in connection.execute(query))

"""Verification of the whole book: nothing is missing, nothing was changed, and it sums to zero."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from kswifi.books.model import Account
from kswifi.books.service import balances
from kswifi.books.sql import TRIGGERS, book_entry, book_line
from kswifi.database.dialect import trigger_names

_FINDINGS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Verified:
    """The result: the number of entries, the balances in kobo, and all findings."""

    entries: int
    balances: Mapping[Account, int]
    findings: tuple[str, ...]


def verify_book(connection: Connection) -> Verified:
    """Check every entry of the book against its lines, its numbering, and the database's triggers."""
    findings: list[str] = []
    sums = (
        select(book_line.c.number, func.sum(book_line.c.amount_kobo).label("total"), func.count().label("lines"))
        .group_by(book_line.c.number)
        .subquery()
    )
    unequal = (
        select(book_entry.c.number, sums.c.total, sums.c.lines)
        .select_from(book_entry.outerjoin(sums, sums.c.number == book_entry.c.number))
        .where(func.coalesce(sums.c.total, 1) != 0)
        .order_by(book_entry.c.number)
        .limit(_FINDINGS_LIMIT)
    )
    findings += [
        f"entry {row.number} sums to {row.total} kobo over {row.lines or 0} lines"
        for row in connection.execute(unequal)
    ]
    homeless = select(book_line.c.number).distinct().where(book_line.c.number.not_in(select(book_entry.c.number)))
    findings += [
        f"lines of an entry {row.number} that is not there"
        for row in connection.execute(homeless.limit(_FINDINGS_LIMIT))
    ]
    count, highest = connection.execute(select(func.count(), func.max(book_entry.c.number))).one()
    if count != (highest or 0):
        findings.append(f"there are {count} entries and the last has the number {highest}: some are gone")
    missing = sorted(TRIGGERS - trigger_names(connection))
    findings += [f"the database's guard {name} is gone" for name in missing]
    standing = balances(connection)
    if sum(standing.values()):
        findings.append(f"all accounts together are {sum(standing.values())} kobo and not zero")
    return Verified(count, standing, tuple(findings))

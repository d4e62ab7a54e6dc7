"""The tables of the book.

The database itself guards the entries. The lines of an entry are written first, under a foreign key that is checked
at the end of the transaction. A trigger (see the migration) accepts the entry only if its lines sum to zero.
Further triggers then refuse another line, any change and any deletion.
"""

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, Table

from kswifi.books.model import AMOUNT_LIMIT_KOBO, KIND_LIMIT, REFERENCE_LIMIT
from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime

book_entry: Final = Table(
    "book_entry",
    metadata,
    Column("number", ExactInteger, primary_key=True, autoincrement=False),
    Column("reference", String(REFERENCE_LIMIT), nullable=False, unique=True),
    Column("kind", String(KIND_LIMIT), nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("recorded_at", UtcDateTime, nullable=False),
)

book_line: Final = Table(
    "book_line",
    metadata,
    Column(
        "number",
        ExactInteger,
        ForeignKey("book_entry.number", deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("account", String(40), primary_key=True),
    Column("amount_kobo", ExactInteger, nullable=False),
    CheckConstraint(
        f"typeof(amount_kobo) = 'integer' AND amount_kobo <> 0 AND abs(amount_kobo) <= {AMOUNT_LIMIT_KOBO}",
        name="exact_kobo",
    ),
    Index(None, "account"),
)

TRIGGERS: Final = frozenset(
    {
        "book_entry_sums_to_zero",
        "book_entry_is_final",
        "book_entry_is_kept",
        "book_line_of_open_entry",
        "book_line_is_final",
        "book_line_is_kept",
    }
)
"""The triggers that the migration creates; `kswifi books verify` checks that they exist."""

"""Notes of support about a customer, each with its author and a case number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import record
from kswifi.desk.customers import require_customer
from kswifi.desk.errors import REASON_MISSING
from kswifi.desk.roles import Operator, Permission
from kswifi.desk.sql import customer_note
from kswifi.kernel.ids import uuid7

WORDS_LIMIT: Final = 1000
_t: Final = customer_note.c


@dataclass(frozen=True, slots=True)
class Note:
    """A note."""

    note_id: str
    case_number: str
    words: str
    written_by: str
    written_at: datetime


def write_note(connection: Connection, operator: Operator, user_id: str, words: str, case_number: str = "") -> Note:
    """Write a note; without a case number it begins a new case, numbered by day and note.

    Raises:
        NO_SUCH_CUSTOMER, ROLE_MAY_NOT
        REASON_MISSING: the words are missing or too long.
    """
    operator.require(Permission.HELP_CUSTOMERS)
    require_customer(connection, user_id)
    words = words.strip()
    if not 1 <= len(words) <= WORDS_LIMIT:
        raise REASON_MISSING(f"a note has 1 to {WORDS_LIMIT} characters")
    now = transaction_instant(connection)
    note_id = str(uuid7(now))
    case = " ".join(case_number.split())[:20] or f"{now:%y%m%d}-{note_id[-5:]}"
    values = {"note_id": note_id, "case_number": case, "words": words, "written_by": operator.name}
    connection.execute(insert(customer_note).values(**values, user_id=user_id, written_at=now))
    record(connection, operator, "customers note", user_id, after={"case": case})
    return Note(note_id, case, words, operator.name, now)


def notes_of(connection: Connection, user_id: str, limit: int = 100) -> list[Note]:
    """Return the notes about a customer, the newest first."""
    columns = (_t.note_id, _t.case_number, _t.words, _t.written_by, _t.written_at)
    query = select(*columns).where(_t.user_id == user_id).order_by(_t.written_at.desc()).limit(limit)
    return [Note(*row) for row in connection.execute(query)]

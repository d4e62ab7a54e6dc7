"""Notices of the operator in a customer's app: incidents, a frozen line, the code for a caller check."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from kswifi.desk.callers import CallerChecks
from kswifi.desk.incidents import current
from kswifi.desk.sql import staff
from kswifi.esim.sql import esim


class NoticeKind(StrEnum):
    """The kinds of notices."""

    INCIDENT = "incident"
    FROZEN = "frozen"
    CALLER_CODE = "caller_code"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice; ``words`` are of an incident, ``code`` is of a caller check, ``at`` is its beginning or end."""

    kind: NoticeKind
    words: str | None = None
    code: str | None = None
    at: datetime | None = None


def notices_of(connection: Connection, callers: CallerChecks, user_id: str) -> list[Notice]:
    """Return the notices for a customer, the most urgent first."""
    codes = callers.codes_for(connection, user_id)
    names = (
        {it.staff_id: it.name for it in connection.execute(select(staff.c.staff_id, staff.c.name))} if codes else {}
    )
    found = [Notice(NoticeKind.CALLER_CODE, names.get(it.staff_id), it.code, it.expires_at) for it in codes]
    query = select(esim.c.esim_id).where(esim.c.user_id == user_id, esim.c.frozen).limit(1)
    if connection.scalar(query) is not None:
        found.append(Notice(NoticeKind.FROZEN))
    return found + [Notice(NoticeKind.INCIDENT, it.words, None, it.begun_at) for it in current(connection)]

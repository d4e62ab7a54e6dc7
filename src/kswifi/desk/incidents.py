"""Incidents: a disturbance that the app shows as a banner until it ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import record
from kswifi.desk.errors import REASON_MISSING, UNKNOWN_INCIDENT
from kswifi.desk.roles import Operator, Permission
from kswifi.desk.sql import incident
from kswifi.kernel.ids import uuid7

WORDS_LIMIT: Final = 200
_SHOWN: Final = 5
_t: Final = incident.c


@dataclass(frozen=True, slots=True)
class Incident:
    """A disturbance; ``ended_at`` is None while the app shows it."""

    incident_id: str
    words: str
    begun_at: datetime
    ended_at: datetime | None


def begin(connection: Connection, operator: Operator, words: str) -> Incident:
    """Begin an incident: from now on the app shows its words.

    Raises:
        REASON_MISSING: the words are missing or too long.
        ROLE_MAY_NOT
    """
    operator.require(Permission.ANNOUNCE)
    words = " ".join(words.split())
    if not 1 <= len(words) <= WORDS_LIMIT:
        raise REASON_MISSING(f"an incident's words have 1 to {WORDS_LIMIT} characters")
    now = transaction_instant(connection)
    incident_id = str(uuid7(now))
    connection.execute(insert(incident).values(incident_id=incident_id, words=words, begun_at=now))
    record(connection, operator, "incidents begin", incident_id, after={"words": words})
    return Incident(incident_id, words, now, None)


def end(connection: Connection, operator: Operator, incident_id: str) -> None:
    """End an incident: the app shows it no longer. Idempotent.

    Raises:
        UNKNOWN_INCIDENT: there is none.
        ROLE_MAY_NOT
    """
    operator.require(Permission.ANNOUNCE)
    row = connection.execute(select(incident).where(_t.incident_id == incident_id)).one_or_none()
    if row is None:
        raise UNKNOWN_INCIDENT("there is no such incident", incident_id=incident_id[:64])
    if row.ended_at is None:
        ended = update(incident).where(_t.incident_id == incident_id)
        connection.execute(ended.values(ended_at=transaction_instant(connection)))
        record(connection, operator, "incidents end", incident_id, before={"words": row.words})


def current(connection: Connection) -> list[Incident]:
    """Return the incidents that the app shows, the newest first."""
    query = select(incident).where(_t.ended_at.is_(None)).order_by(_t.begun_at.desc()).limit(_SHOWN)
    return [_read(row) for row in connection.execute(query)]


def _read(row: Row[*tuple[Any, ...]]) -> Incident:
    return Incident(row.incident_id, row.words, row.begun_at, row.ended_at)

"""The tables of the outbox."""

from typing import Final

from sqlalchemy import JSON, CheckConstraint, Column, Index, Integer, String, Table

from kswifi.database.dialect import COUNTED_UP
from kswifi.database.engine import metadata
from kswifi.database.types import BigId, UtcDateTime, UuidText

outbox_entry: Final = Table(
    "outbox_entry",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("key", String(200), nullable=False, unique=True),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("run_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", UtcDateTime),
    Column("state", String(16), nullable=False),
    Column("last_error", String(1000)),
    Column("finished_at", UtcDateTime),
    CheckConstraint("state IN ('waiting', 'done', 'refused', 'stuck')", name="state"),
    Index(None, "state", "run_at"),
    **COUNTED_UP,
)

domain_event: Final = Table(
    "domain_event",
    metadata,
    Column("sequence", BigId, primary_key=True, autoincrement=True),
    Column("user_id", UuidText, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "user_id", "sequence"),
    **COUNTED_UP,
)

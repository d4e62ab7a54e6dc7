"""The table of executed requests and their responses, by Idempotency-Key."""

from typing import Final

from sqlalchemy import Column, Integer, LargeBinary, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import UtcDateTime, UuidText

idempotent_request: Final = Table(
    "idempotent_request",
    metadata,
    Column("user_id", UuidText, primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("begun_at", UtcDateTime, nullable=False, index=True),
    Column("status", Integer),
    Column("body", LargeBinary),
)

"""The tables of phone verification. They contain no codes, because codes are derived."""

from typing import Final

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import UtcDateTime, UuidText

phone_verification: Final = Table(
    "phone_verification",
    metadata,
    Column("verification_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False, index=True),
    Column("phone_number", String(16), nullable=False),
    Column("salt", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("confirmed_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

lab_text_message: Final = Table(
    "lab_text_message",
    metadata,
    Column("reference", UuidText, primary_key=True),
    Column("phone_number", String(254), nullable=False),
    Column("words", String(200), nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
)
"""The lab's outbox: messages that are not sent. Only embedded mode writes it."""

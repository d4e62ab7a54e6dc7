"""The accounts' tables."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import UtcDateTime, UuidText

user_account: Final = Table(
    "user_account",
    metadata,
    Column("user_id", UuidText, primary_key=True),
    Column("phone_number", String(16), unique=True),
    Column("email", String(254), unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("recovery_code_hash", LargeBinary(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("(phone_number IS NULL) <> (email IS NULL)", name="one_identifier"),
)

login_session: Final = Table(
    "login_session",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("user_id", ForeignKey(user_account.c.user_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

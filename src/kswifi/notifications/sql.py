"""The tables of notifications."""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, LargeBinary, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime, UuidText

push_subscription: Final = Table(
    "push_subscription",
    metadata,
    Column("subscription_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False, index=True),
    Column("endpoint", String(1000), nullable=False, unique=True),
    Column("key", LargeBinary(65), nullable=False),
    Column("secret", LargeBinary(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("refused_at", UtcDateTime, nullable=True),
)

notification_wish: Final = Table(
    "notification_wish",
    metadata,
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), primary_key=True),
    Column("usage", Boolean, nullable=False),
    Column("expiry", Boolean, nullable=False),
)

told_alert: Final = Table(
    "told_alert",
    metadata,
    Column("session_id", UuidText, ForeignKey("internet_session.session_id"), primary_key=True),
    Column("name", String(16), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""The alerts of each InternetSession that were sent: the transaction that inserts the row sends the alert."""

notified_sequence: Final = Table(
    "notified_sequence",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("sequence", ExactInteger, nullable=False),
)
"""The sequence of the last processed domain event, written together with its alerts."""

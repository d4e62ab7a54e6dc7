"""The tables of bulk actions."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import UtcDateTime, UuidText
from kswifi.desk.sql import REASON_LIMIT, STAFF_NAME_LIMIT

fraud_action: Final = Table(
    "fraud_action",
    metadata,
    Column("action_id", UuidText, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("reason", String(REASON_LIMIT), nullable=False),
    Column("done_by", String(STAFF_NAME_LIMIT), nullable=False),
    Column("done_at", UtcDateTime, nullable=False, index=True),
    Column("accounts", Integer, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("undone_by", String(STAFF_NAME_LIMIT)),
    Column("undone_at", UtcDateTime),
    CheckConstraint("kind IN ('hold', 'freeze', 'release')", name="kind"),
)
"""Actions on many accounts at once, each of which can be undone."""

fraud_action_item: Final = Table(
    "fraud_action_item",
    metadata,
    Column("action_id", UuidText, ForeignKey("fraud_action.action_id"), primary_key=True),
    # A hold or a line: one of both.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hold_id", UuidText, ForeignKey("account_hold.hold_id")),
    # The hold's state before the action; NULL: the action placed it.
    Column("state_before", String(16)),
    Column("decided_by_before", String(STAFF_NAME_LIMIT)),
    Column("reason_before", String(REASON_LIMIT)),
    Column("esim_id", UuidText, ForeignKey("esim.esim_id")),
    Column("undone", Boolean, nullable=False, server_default="0"),
    CheckConstraint("(hold_id IS NULL) <> (esim_id IS NULL)", name="one_subject"),
    Index(None, "hold_id"),
    Index(None, "esim_id"),
)
"""What an action has changed, and what was there before."""

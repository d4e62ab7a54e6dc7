"""The tables of the desk."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime, UuidText

STAFF_NAME_LIMIT: Final = 40
REASON_LIMIT: Final = 300

operator_action: Final = Table(
    "operator_action",
    metadata,
    Column("number", ExactInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(STAFF_NAME_LIMIT), nullable=False),
    Column("role", String(16), nullable=False),
    Column("command", String(40), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("reason", String(REASON_LIMIT), nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Index(None, "subject", "number"),
    Index(None, "who", "number"),
)
"""The audit trail. Numbers have no gaps; each row holds the hash of the row before; triggers keep the rows."""

TRIGGERS: Final = frozenset({"operator_action_is_final", "operator_action_is_kept", "operator_action_follows"})
"""The triggers that the migration creates; `kswifi audit verify` checks that they exist."""

staff: Final = Table(
    "staff",
    metadata,
    Column("staff_id", UuidText, primary_key=True),
    Column("name", String(STAFF_NAME_LIMIT), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

staff_enrolment: Final = Table(
    "staff_enrolment",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("staff_id", UuidText, ForeignKey("staff.staff_id"), nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False),
)
"""One-time links with which a member of staff registers a passkey; the row is deleted when the link is used."""

staff_passkey: Final = Table(
    "staff_passkey",
    metadata,
    Column("credential_id", LargeBinary(1023), primary_key=True),
    Column("staff_id", UuidText, ForeignKey("staff.staff_id"), nullable=False, index=True),
    Column("public_key", LargeBinary(2048), nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

staff_login: Final = Table(
    "staff_login",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("staff_id", UuidText, ForeignKey("staff.staff_id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

goodwill: Final = Table(
    "goodwill",
    metadata,
    Column("goodwill_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False, index=True),
    # The InternetSession of the complaint: one case.
    Column("session_id", UuidText, ForeignKey("internet_session.session_id"), nullable=False, index=True),
    Column("offer_id", String(32), nullable=False),
    Column("octets", ExactInteger, nullable=False),
    Column("reason", String(REASON_LIMIT), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_reason", String(200)),
    Column("asked_by", String(STAFF_NAME_LIMIT), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("decided_by", String(STAFF_NAME_LIMIT)),
    # The InternetSession that was given.
    Column("given_session_id", UuidText),
    CheckConstraint("state IN ('waiting', 'approved', 'given', 'refused')", name="state"),
    CheckConstraint("octets > 0", name="octets"),
    Index(None, "asked_by", "asked_at"),
    Index(None, "state", "asked_at"),
)
"""Free sessions that support gives to make up for something."""

caller_check: Final = Table(
    "caller_check",
    metadata,
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), primary_key=True),
    Column("staff_id", UuidText, ForeignKey("staff.staff_id"), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("checked_at", UtcDateTime),
    # Why the customer's page was opened without a caller; NULL where a code was sent.
    Column("reason", String(REASON_LIMIT)),
)
"""The newest code that a member of staff had sent to a customer, to know that the caller is the customer."""

customer_note: Final = Table(
    "customer_note",
    metadata,
    Column("note_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    Column("case_number", String(20), nullable=False),
    Column("words", String(1000), nullable=False),
    Column("written_by", String(STAFF_NAME_LIMIT), nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Index(None, "user_id", "written_at"),
)

incident: Final = Table(
    "incident",
    metadata,
    Column("incident_id", UuidText, primary_key=True),
    Column("words", String(200), nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index(None, "ended_at"),
)
"""Disturbances that the app shows as a banner until they end."""

"""The tables of transfers between InternetSessions, moves to a new eSIM, standing orders and limits of lines."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime, UuidText

octet_transfer: Final = Table(
    "octet_transfer",
    metadata,
    Column("transfer_id", UuidText, primary_key=True),
    Column("kind", String(8), nullable=False),
    # The bearer secret of a gift; NULL for a share or a move.
    Column("code", String(24), unique=True),
    Column("giver_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    Column("receiver_id", UuidText, ForeignKey("user_account.user_id")),
    Column("from_session_id", UuidText, ForeignKey("internet_session.session_id"), nullable=False, index=True),
    Column("to_session_id", UuidText, ForeignKey("internet_session.session_id"), unique=True),
    Column("octets", ExactInteger, nullable=False),
    # The reserved money that travels with the octets; 0 while it belongs to the grant of a session.
    Column("kobo", ExactInteger, nullable=False),
    # Octets of a moved session that are not released yet: they are in no account, and go with the grant.
    Column("withheld_octets", ExactInteger, nullable=False, server_default="0"),
    Column("state", String(16), nullable=False),
    Column("reason", String(64)),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    CheckConstraint("octets > 0 AND kobo >= 0", name="positive"),
    Index(None, "giver_id", "transfer_id"),
    Index(None, "receiver_id", "transfer_id"),
    Index(None, "state", "expires_at"),
)
"""Octets in transit: the ledger has taken them out of one account and not yet put them into another."""

phone_move: Final = Table(
    "phone_move",
    metadata,
    Column("move_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    Column("old_esim_id", UuidText, ForeignKey("esim.esim_id"), nullable=False, index=True),
    Column("new_esim_id", UuidText, ForeignKey("esim.esim_id")),
    Column("why", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("was_frozen", Boolean, nullable=False),
    # The LoginSession that asked for it.
    Column("asked_by", String(64), nullable=False),
    Column("confirmed_by", String(16)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index(None, "user_id", "move_id"),
    Index(None, "state", "due_at"),
)
"""Moves of the sessions of one line to a new eSIM."""

standing_order: Final = Table(
    "standing_order",
    metadata,
    Column("standing_order_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False, unique=True),
    Column("offer_id", String(32), nullable=False),
    Column("below_percent", Integer),
    Column("days_before_end", Integer),
    Column("state", String(8), nullable=False),
    Column("last_result", String(64)),
    Column("due_number", Integer, nullable=False),
    Column("due_since", UtcDateTime),
    Column("ignored", Integer, nullable=False),
    Column("call_after", UtcDateTime, nullable=False),
    # The session that was ordered last.
    Column("session_id", UuidText, ForeignKey("internet_session.session_id")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    CheckConstraint("(below_percent IS NULL) <> (days_before_end IS NULL)", name="one_condition"),
    Index(None, "state", "standing_order_id"),
)
"""Wishes for a next session, at most one for each user. An ended one stays until its user makes a new one."""

line_limit: Final = Table(
    "line_limit",
    metadata,
    Column("esim_id", UuidText, ForeignKey("esim.esim_id"), primary_key=True),
    # NULL: the owner removed the limit.
    Column("daily_octets", ExactInteger),
    # An instant at which a day begins, in Unix seconds, and its second of the day in UTC.
    Column("day_at", ExactInteger, nullable=False),
    Column("day_second", Integer, nullable=False, index=True),
    # Each counts the requests, whose commands to the ledger have these numbers.
    Column("wish", Integer, nullable=False),
    Column("lifts", Integer, nullable=False),
)
"""The limit of a line's days, as its owner wished last; the ledger keeps and enforces it."""

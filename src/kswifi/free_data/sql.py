"""The tables of free data."""

from typing import Final

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime, UuidText

MARK: Final = String(64)

free_budget: Final = Table(
    "free_budget",
    metadata,
    Column("budget_id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("total_kobo", ExactInteger, nullable=False),
    Column("reserved_kobo", ExactInteger, nullable=False),
    Column("spent_kobo", ExactInteger, nullable=False),
    Column("daily_kobo", ExactInteger),
    Column("monthly_kobo", ExactInteger),
    Column("alert_percent", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # The last line of defence: no defect in the code can overdraw a budget.
    CheckConstraint("reserved_kobo >= 0 AND spent_kobo >= 0", name="not_negative"),
    CheckConstraint("reserved_kobo + spent_kobo <= total_kobo", name="not_overdrawn"),
)

free_budget_day: Final = Table(
    "free_budget_day",
    metadata,
    Column("day", String(10), primary_key=True),
    # '' if no budget paid: these days count towards the common ceilings.
    Column("budget_id", String(32), primary_key=True),
    Column("committed_kobo", ExactInteger, nullable=False),
    CheckConstraint("committed_kobo >= 0", name="not_negative"),
)
"""What the orders of each local day have committed, less returns."""

free_stop: Final = Table(
    "free_stop",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("words", String(200), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""The kill switch: while this row exists, free data is stopped."""

free_grant: Final = Table(
    "free_grant",
    metadata,
    Column("session_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    Column("account_mark", MARK),
    Column("phone_mark", MARK),
    Column("device_mark", MARK),
    Column("card_mark", MARK),
    Column("octets", ExactInteger, nullable=False),
    Column("used_octets", ExactInteger, nullable=False),
    Column("tranche_octets", ExactInteger),
    Column("released_octets", ExactInteger, nullable=False),
    Column("cost_kobo_per_gb", ExactInteger, nullable=False),
    Column("budget_id", String(32), ForeignKey("free_budget.budget_id")),
    Column("reserved_kobo", ExactInteger, nullable=False),
    Column("spent_kobo", ExactInteger, nullable=False),
    # The kobo that came with octets of another grant; NULL: bought here, and the cost is that of the octets.
    Column("most_kobo", ExactInteger),
    # Octets that were given to other accounts: they count against the giver's allowance.
    Column("given_octets", ExactInteger, nullable=False, server_default="0"),
    Column("ordered_at", UtcDateTime, nullable=False),
    Column("ordered_on", String(10), nullable=False),
    Column("ended_at", UtcDateTime),
    # Given by support: it costs the operator's budget, and takes nothing of its owner's allowance.
    Column("goodwill", Boolean, nullable=False, server_default="0"),
    Column("bundle_kobo", ExactInteger),
    CheckConstraint("reserved_kobo >= 0 AND spent_kobo >= 0", name="not_negative"),
    CheckConstraint("released_octets <= octets", name="not_over_released"),
    Index(None, "user_id", "ordered_at"),
    Index(None, "account_mark", "ordered_at"),
    Index(None, "phone_mark", "ordered_at"),
    Index(None, "device_mark", "ordered_at"),
    Index(None, "card_mark", "ordered_at"),
    Index(None, "ended_at", "ordered_at"),
    Index(None, "ordered_at"),
)
"""Every free InternetSession as its payer sees it. Marks are keyed digests, deleted after the rolling days."""

free_waiting: Final = Table(
    "free_waiting",
    metadata,
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), primary_key=True),
    Column("octets", ExactInteger, nullable=False),
    Column("since", UtcDateTime, nullable=False, index=True),
    Column("told_at", UtcDateTime),
)
"""The waiting list for budget, in order of entry; those who were notified stay in it for a while."""

account_device: Final = Table(
    "account_device",
    metadata,
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), primary_key=True),
    Column("device_mark", MARK, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False, index=True),
    Index(None, "device_mark", "seen_at"),
)
"""The devices at which accounts were made, by their marks; deleted after the rolling days."""

account_hold: Final = Table(
    "account_hold",
    metadata,
    Column("hold_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    # The link of the rule that placed it (see desk.fraud.model), or "by_hand".
    Column("why", String(16), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("placed_by", String(40), nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("decided_by", String(40)),
    Column("decided_at", UtcDateTime),
    Column("reason", String(300)),
    CheckConstraint("state IN ('waiting', 'kept', 'released')", name="state"),
    Index(None, "user_id", "state"),
    Index(None, "state", "placed_at"),
)
"""Holds of free data on single accounts: waiting for a person to look, kept by one, or released."""

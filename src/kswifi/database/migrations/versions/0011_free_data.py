"""Free data: budgets and their days, grants with marks, the kill switch, the waiting list, KYC levels.

Existing free sessions become grants, so that the rolling days do not start again for any user.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_GRANTS_OF_SESSIONS = """
    INSERT INTO free_grant (
      session_id, user_id, octets, used_octets, released_octets, cost_kobo_per_gb, reserved_kobo, spent_kobo,
      ordered_at, ordered_on, ended_at
    )
    SELECT
      s.session_id, s.user_id, s.allowance_octets,
      CASE WHEN coalesce(b.used, 0) < s.allowance_octets THEN coalesce(b.used, 0) ELSE s.allowance_octets END,
      s.allowance_octets, 0, 0, 0, s.ordered_at,
      {day},
      CASE WHEN s.state IN ('exhausted', 'expired', 'revoked', 'failed') THEN s.ordered_at END
    FROM internet_session s LEFT JOIN session_balance b ON b.session_id = s.session_id
    WHERE s.free
"""


# The UTC day of an instant in microseconds, as text.
_DAY = {
    "sqlite": "strftime('%Y-%m-%d', s.ordered_at / 1000000, 'unixepoch')",
    "postgresql": "to_char(to_timestamp(s.ordered_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}


def upgrade() -> None:
    """Create the tables, and the grants of existing free sessions."""
    op.create_table(
        "account_kyc",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_account_kyc"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_account_kyc_user_id"),
    )
    _make_budgets()
    op.create_table(
        "free_stop",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("words", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_free_stop"),
    )
    _make_grants()
    op.execute(_GRANTS_OF_SESSIONS.replace("{day}", _DAY[op.get_bind().dialect.name]))
    op.create_table(
        "free_waiting",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("user_id", name="pk_free_waiting"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_free_waiting_user_id"),
    )
    op.create_index("ix_free_waiting_since", "free_waiting", ["since"])


def _make_budgets() -> None:
    op.create_table(
        "free_budget",
        sa.Column("budget_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("total_kobo", sa.BigInteger(), nullable=False),
        sa.Column("reserved_kobo", sa.BigInteger(), nullable=False),
        sa.Column("spent_kobo", sa.BigInteger(), nullable=False),
        sa.Column("daily_kobo", sa.BigInteger()),
        sa.Column("monthly_kobo", sa.BigInteger()),
        sa.Column("alert_percent", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("budget_id", name="pk_free_budget"),
        sa.CheckConstraint("reserved_kobo >= 0 AND spent_kobo >= 0", name="ck_free_budget_not_negative"),
        sa.CheckConstraint("reserved_kobo + spent_kobo <= total_kobo", name="ck_free_budget_not_overdrawn"),
    )
    op.create_table(
        "free_budget_day",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("budget_id", sa.String(32), nullable=False),
        sa.Column("committed_kobo", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "budget_id", name="pk_free_budget_day"),
        sa.CheckConstraint("committed_kobo >= 0", name="ck_free_budget_day_not_negative"),
    )


def _make_grants() -> None:
    marks = ("account_mark", "phone_mark", "device_mark", "card_mark")
    op.create_table(
        "free_grant",
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        *(sa.Column(mark, sa.String(64)) for mark in marks),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("used_octets", sa.BigInteger(), nullable=False),
        sa.Column("tranche_octets", sa.BigInteger()),
        sa.Column("released_octets", sa.BigInteger(), nullable=False),
        sa.Column("cost_kobo_per_gb", sa.BigInteger(), nullable=False),
        sa.Column("budget_id", sa.String(32)),
        sa.Column("reserved_kobo", sa.BigInteger(), nullable=False),
        sa.Column("spent_kobo", sa.BigInteger(), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("ordered_on", sa.String(10), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("session_id", name="pk_free_grant"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_free_grant_user_id"),
        sa.ForeignKeyConstraint(["budget_id"], ["free_budget.budget_id"], name="fk_free_grant_budget_id"),
        sa.CheckConstraint("reserved_kobo >= 0 AND spent_kobo >= 0", name="ck_free_grant_not_negative"),
        sa.CheckConstraint("released_octets <= octets", name="ck_free_grant_not_over_released"),
    )
    for column in ("user_id", *marks):
        op.create_index(f"ix_free_grant_{column}_ordered_at", "free_grant", [column, "ordered_at"])
    op.create_index("ix_free_grant_ended_at_ordered_at", "free_grant", ["ended_at", "ordered_at"])

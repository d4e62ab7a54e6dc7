"""Payments and passes; each InternetSession refers to the pass period under which it was downloaded."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "payment",
        sa.Column("reference", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("offer_id", sa.String(32), nullable=False),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("amount_kobo", sa.BigInteger(), nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=False),
        sa.Column("limit_octets", sa.BigInteger(), nullable=True),
        sa.Column("gateway", sa.String(16), nullable=False),
        sa.Column("sandbox", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.Column("checkout_url", sa.String(500), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("refunded_at", sa.BigInteger(), nullable=True),
        sa.Column("paid_kobo", sa.BigInteger(), nullable=True),
        sa.Column("fees_kobo", sa.BigInteger(), nullable=True),
        sa.Column("refund_kobo", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(40), nullable=True),
        sa.Column("refund_tried_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("reference", name="pk_payment"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_payment_user_id"),
        sa.CheckConstraint("amount_kobo > 0", name="ck_payment_costs_something"),
    )
    op.create_index("ix_payment_user_id_created_at", "payment", ["user_id", "created_at"])
    op.create_index("ix_payment_state", "payment", ["state"])
    op.create_table(
        "pass_period",
        sa.Column("period_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("reference", sa.String(64), nullable=False),
        sa.Column("offer_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=False),
        sa.Column("price_kobo", sa.BigInteger(), nullable=False),
        sa.Column("limit_octets", sa.BigInteger(), nullable=True),
        sa.Column("earned_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("period_id", name="pk_pass_period"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_pass_period_user_id"),
        sa.ForeignKeyConstraint(["reference"], ["payment.reference"], name="fk_pass_period_reference"),
        sa.UniqueConstraint("reference", name="uq_pass_period_reference"),
    )
    op.create_index("ix_pass_period_user_id_ends_at", "pass_period", ["user_id", "ends_at"])
    # SQLite can add a column with a reference only if it may be NULL; it is NULL for sessions without a pass.
    op.add_column("internet_session", sa.Column("pass_period_id", sa.String(36), nullable=True))
    op.create_index("ix_internet_session_pass_period_id", "internet_session", ["pass_period_id"])

"""Vouchers: batches for venues, and redeemed vouchers."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "voucher_batch",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("venue", sa.String(60), nullable=False),
        sa.Column("budget_id", sa.String(32)),
        sa.Column("first_serial", sa.Integer(), nullable=False),
        sa.Column("vouchers", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("batch_id", name="pk_voucher_batch"),
        sa.ForeignKeyConstraint(["budget_id"], ["free_budget.budget_id"], name="fk_voucher_batch_budget_id"),
        sa.UniqueConstraint("first_serial", name="uq_voucher_batch_first_serial"),
        sa.CheckConstraint("first_serial >= 0 AND vouchers > 0", name="ck_voucher_batch_serials"),
    )
    op.create_table(
        "voucher",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("redeemed_at", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.String(36)),
        sa.PrimaryKeyConstraint("serial", name="pk_voucher"),
        sa.ForeignKeyConstraint(["batch_id"], ["voucher_batch.batch_id"], name="fk_voucher_batch_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_voucher_user_id"),
    )
    op.create_index("ix_voucher_batch_id", "voucher", ["batch_id"])
    op.create_index("ix_voucher_user_id", "voucher", ["user_id"])

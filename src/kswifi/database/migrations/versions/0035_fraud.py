"""Fraud: devices of sign-ups, holds of free data, actions on many accounts, and the instrument of a payment."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Add the tables, the column and the indexes; nobody is held yet."""
    op.create_table(
        "account_device",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("device_mark", sa.String(64), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_mark", name="pk_account_device"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_account_device_user_id"),
    )
    op.create_index("ix_account_device_seen_at", "account_device", ["seen_at"])
    op.create_index("ix_account_device_device_mark_seen_at", "account_device", ["device_mark", "seen_at"])
    op.create_table(
        "account_hold",
        sa.Column("hold_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("why", sa.String(16), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("placed_by", sa.String(40), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(40)),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("reason", sa.String(300)),
        sa.PrimaryKeyConstraint("hold_id", name="pk_account_hold"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_account_hold_user_id"),
        sa.CheckConstraint("state IN ('waiting', 'kept', 'released')", name="ck_account_hold_state"),
    )
    op.create_index("ix_account_hold_user_id_state", "account_hold", ["user_id", "state"])
    op.create_index("ix_account_hold_state_placed_at", "account_hold", ["state", "placed_at"])
    op.create_table(
        "fraud_action",
        sa.Column("action_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("done_by", sa.String(40), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=False),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("undone_by", sa.String(40)),
        sa.Column("undone_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("action_id", name="pk_fraud_action"),
        sa.CheckConstraint("kind IN ('hold', 'freeze', 'release')", name="ck_fraud_action_kind"),
    )
    op.create_index("ix_fraud_action_done_at", "fraud_action", ["done_at"])
    op.create_table(
        "fraud_action_item",
        sa.Column("action_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hold_id", sa.String(36)),
        sa.Column("state_before", sa.String(16)),
        sa.Column("decided_by_before", sa.String(40)),
        sa.Column("reason_before", sa.String(300)),
        sa.Column("esim_id", sa.String(36)),
        sa.Column("undone", sa.Boolean(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("action_id", "number", name="pk_fraud_action_item"),
        sa.ForeignKeyConstraint(["action_id"], ["fraud_action.action_id"], name="fk_fraud_action_item_action_id"),
        sa.ForeignKeyConstraint(["hold_id"], ["account_hold.hold_id"], name="fk_fraud_action_item_hold_id"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_fraud_action_item_esim_id"),
        sa.CheckConstraint("(hold_id IS NULL) <> (esim_id IS NULL)", name="ck_fraud_action_item_one_subject"),
    )
    op.create_index("ix_fraud_action_item_hold_id", "fraud_action_item", ["hold_id"])
    op.create_index("ix_fraud_action_item_esim_id", "fraud_action_item", ["esim_id"])
    op.add_column("payment", sa.Column("instrument", sa.String(64)))
    op.create_index("ix_payment_instrument_settled_at", "payment", ["instrument", "settled_at"])
    op.create_index("ix_free_grant_ordered_at", "free_grant", ["ordered_at"])


def downgrade() -> None:
    """Drop them; nobody is held any more."""
    op.drop_index("ix_free_grant_ordered_at", "free_grant")
    op.drop_index("ix_payment_instrument_settled_at", "payment")
    op.drop_column("payment", "instrument")
    for table in ("fraud_action_item", "fraud_action", "account_hold", "account_device"):
        op.drop_table(table)

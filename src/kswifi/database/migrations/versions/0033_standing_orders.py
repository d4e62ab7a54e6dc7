"""Standing orders: wishes for a next session, which phones carry out when they are due."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

_TABLE = "standing_order"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        _TABLE,
        sa.Column("standing_order_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("offer_id", sa.String(32), nullable=False),
        sa.Column("below_percent", sa.Integer(), nullable=True),
        sa.Column("days_before_end", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("last_result", sa.String(64), nullable=True),
        sa.Column("due_number", sa.Integer(), nullable=False),
        sa.Column("due_since", sa.BigInteger(), nullable=True),
        sa.Column("ignored", sa.Integer(), nullable=False),
        sa.Column("call_after", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("standing_order_id", name="pk_standing_order"),
        sa.UniqueConstraint("user_id", name="uq_standing_order_user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_standing_order_user_id"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["internet_session.session_id"], name="fk_standing_order_session_id"
        ),
        sa.CheckConstraint(
            "(below_percent IS NULL) <> (days_before_end IS NULL)", name="ck_standing_order_one_condition"
        ),
    )
    op.create_index("ix_standing_order_state_standing_order_id", _TABLE, ["state", "standing_order_id"])


def downgrade() -> None:
    """Drop the table; sessions that were ordered stay."""
    op.drop_table(_TABLE)

"""Items of a payment gateway's lists (refunds, disputes, payouts, unclaimed receipts), and reconciliations."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "gateway_item",
        sa.Column("gateway", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item_id", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(64), nullable=True),
        sa.Column("sandbox", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("amount_kobo", sa.BigInteger(), nullable=False),
        sa.Column("fees_kobo", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "kind", "item_id", name="pk_gateway_item"),
    )
    op.create_index("ix_gateway_item_kind_state", "gateway_item", ["kind", "state"])
    op.create_index("ix_gateway_item_reference", "gateway_item", ["reference"])
    op.create_table(
        "reconciliation",
        sa.Column("gateway", sa.String(16), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("to_at", sa.BigInteger(), nullable=False),
        sa.Column("ran_at", sa.BigInteger(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "from_at", name="pk_reconciliation"),
    )

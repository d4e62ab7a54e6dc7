"""Lines whose profiles an external SM-DP+ delivers: their stock, their orders there, and all ES2+ calls."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the tables; every existing line has its profile at our own SM-DP+."""
    op.add_column("esim", sa.Column("smdp_address", sa.String(255), nullable=True))
    op.create_table(
        "stock_line",
        sa.Column("iccid", sa.String(20), nullable=False),
        sa.Column("imsi", sa.String(15), nullable=False),
        sa.Column("batch", sa.String(36), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("sealed_keys", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("iccid", name="pk_stock_line"),
        sa.UniqueConstraint("imsi", name="uq_stock_line_imsi"),
    )
    op.create_index("ix_stock_line_ready_iccid", "stock_line", ["ready", "iccid"])
    op.create_index("ix_stock_line_batch", "stock_line", ["batch"])
    op.create_table(
        "peer_order",
        sa.Column("esim_id", sa.String(36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("profile_state", sa.String(16), nullable=False),
        sa.Column("state_reason", sa.String(200), nullable=True),
        sa.Column("eid", sa.String(32), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("esim_id", "attempt", name="pk_peer_order"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_peer_order_esim_id"),
    )
    op.create_table(
        "peer_call",
        sa.Column("identifier", sa.String(80), nullable=False),
        sa.Column("esim_id", sa.String(36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("function", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=True),
        sa.Column("codes", sa.String(64), nullable=True),
        sa.Column("reason", sa.String(300), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identifier", name="pk_peer_call"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_peer_call_esim_id"),
    )
    op.create_index("ix_peer_call_esim_id_attempt", "peer_call", ["esim_id", "attempt"])

"""The SM-DP+'s download orders and RspSessions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "profile_order",
        sa.Column("order_id", sa.String(36), nullable=False),
        sa.Column("matching_id", sa.String(255)),
        sa.Column("iccid", sa.String(20), nullable=False),
        sa.Column("esim_id", sa.String(36)),
        sa.Column("package_name", sa.String(255)),
        sa.Column("profile_state", sa.String(16), nullable=False),
        sa.Column("state_reason", sa.String(200)),
        sa.Column("eid", sa.String(32)),
        sa.Column("confirmation_code_digest", sa.LargeBinary(32)),
        sa.Column("confirmation_code_failures", sa.Integer(), nullable=False),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("bound_otpk", sa.LargeBinary(65)),
        sa.Column("bound_identity", sa.LargeBinary(64)),
        sa.Column("sealed_binding", sa.LargeBinary()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_profile_order"),
        sa.UniqueConstraint("matching_id", name="uq_profile_order_matching_id"),
        sa.UniqueConstraint("esim_id", name="uq_profile_order_esim_id"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_profile_order_esim_id"),
        sa.CheckConstraint("(esim_id IS NULL) <> (package_name IS NULL)", name="ck_profile_order_one_source"),
    )
    op.create_index("ix_profile_order_eid_created_at", "profile_order", ["eid", "created_at"])
    op.create_table(
        "rsp_session",
        sa.Column("transaction_id", sa.LargeBinary(16), nullable=False),
        sa.Column("order_id", sa.String(36), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("eid", sa.String(32), nullable=False),
        sa.Column("card_curve", sa.String(8), nullable=False),
        sa.Column("card_key", sa.LargeBinary(65), nullable=False),
        sa.Column("identity", sa.LargeBinary(64), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("smdp_signed2", sa.LargeBinary(), nullable=False),
        sa.Column("smdp_signature2", sa.LargeBinary(64), nullable=False),
        sa.Column("euicc_otpk", sa.LargeBinary(65)),
        sa.Column("install_result", sa.LargeBinary()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", name="pk_rsp_session"),
        sa.ForeignKeyConstraint(["order_id"], ["profile_order.order_id"], name="fk_rsp_session_order_id"),
        sqlite_with_rowid=False,
    )

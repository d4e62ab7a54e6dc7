"""eSIMs, InternetSessions, their packages, balances and proofs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "esim_serial",
        sa.Column("serial", big_id, primary_key=True, autoincrement=True),
        sa.PrimaryKeyConstraint("serial", name="pk_esim_serial"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "esim",
        sa.Column("esim_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("iccid", sa.String(20), nullable=False),
        sa.Column("imsi", sa.String(15), nullable=False),
        sa.Column("matching_id", sa.String(40), nullable=False),
        sa.Column("eid", sa.String(32)),
        sa.Column("profile_state", sa.String(16), nullable=False),
        sa.Column("hold", sa.String(16)),
        sa.Column("wants_pause", sa.Boolean(), nullable=False),
        sa.Column("wish", sa.Integer(), nullable=False),
        sa.Column("sealed_keys", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("ind", sa.Integer(), nullable=False),
        sa.Column("session_record", sa.LargeBinary()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("esim_id", name="pk_esim"),
        sa.UniqueConstraint("iccid", name="uq_esim_iccid"),
        sa.UniqueConstraint("imsi", name="uq_esim_imsi"),
        sa.UniqueConstraint("matching_id", name="uq_esim_matching_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_esim_user_id"),
    )
    op.create_index("ix_esim_user_id", "esim", ["user_id"])
    op.create_table(
        "internet_session",
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("esim_id", sa.String(36), nullable=False),
        sa.Column("offer_id", sa.String(32), nullable=False),
        sa.Column("free", sa.Boolean(), nullable=False),
        sa.Column("allowance_octets", sa.BigInteger()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_reason", sa.String(200)),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=False),
        sa.Column("package_sha256", sa.String(64)),
        sa.Column("package_octets", sa.BigInteger()),
        sa.Column("session_record", sa.LargeBinary()),
        sa.Column("storage_proof", sa.String(32)),
        sa.PrimaryKeyConstraint("session_id", name="pk_internet_session"),
        sa.UniqueConstraint("user_id", "idempotency_key", name="uq_internet_session_user_id_idempotency_key"),
        sa.CheckConstraint("NOT free OR allowance_octets IS NOT NULL", name="ck_internet_session_free_is_capped"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_internet_session_user_id"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_internet_session_esim_id"),
    )
    op.create_index("ix_internet_session_user_id_ordered_at", "internet_session", ["user_id", "ordered_at"])
    op.create_index("ix_internet_session_esim_id", "internet_session", ["esim_id"])
    _of_one_session(
        "session_package",
        sa.Column("package", sa.LargeBinary(), nullable=False),
    )
    _of_one_session(
        "session_balance",
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("credited", "used", "reserved", "available", "overrun", "expired", "revoked", "as_of")
        ),
    )
    _of_one_session(
        "storage_challenge",
        sa.Column("rand", sa.LargeBinary(16), nullable=False),
        sa.Column("autn", sa.LargeBinary(16), nullable=False),
        sa.Column("xres", sa.LargeBinary(16), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "ledger_projection",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_ledger_projection"),
    )


def _of_one_session(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("session_id", sa.String(36), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("session_id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["session_id"], ["internet_session.session_id"], name=f"fk_{name}_session_id"),
    )

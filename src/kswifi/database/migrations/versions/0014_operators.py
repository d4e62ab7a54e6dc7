"""Operators who order over ES2+: their certificates, their profiles, and the answers to their calls."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the tables, and let orders belong to operators."""
    op.create_table(
        "operator",
        sa.Column("operator_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("callback_url", sa.String(500)),
        sa.Column("callback_ca", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("operator_id", name="pk_operator"),
        sa.UniqueConstraint("name", name="uq_operator_name"),
    )
    op.create_table(
        "operator_certificate",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("operator_id", sa.String(36), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_operator_certificate"),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.operator_id"], name="fk_operator_certificate_operator_id"
        ),
    )
    op.create_table(
        "operator_profile",
        sa.Column("iccid", sa.String(20), nullable=False),
        sa.Column("operator_id", sa.String(36), nullable=False),
        sa.Column("profile_type", sa.String(64), nullable=False),
        sa.Column("sealed_package", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("iccid", name="pk_operator_profile"),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.operator_id"], name="fk_operator_profile_operator_id"),
    )
    op.create_table(
        "es2_answer",
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("operator_id", sa.String(36), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("request_digest", name="pk_es2_answer"),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.operator_id"], name="fk_es2_answer_operator_id"),
    )
    op.create_index("ix_es2_answer_created_at", "es2_answer", ["created_at"])
    op.add_column("profile_order", sa.Column("operator_id", sa.String(36)))
    op.add_column("profile_order", sa.Column("profile_type", sa.String(64)))
    op.create_index(
        "uq_profile_order_operator_iccid",
        "profile_order",
        ["iccid"],
        unique=True,
        sqlite_where=sa.text("operator_id IS NOT NULL AND profile_state <> 'unavailable'"),
        postgresql_where=sa.text("operator_id IS NOT NULL AND profile_state <> 'unavailable'"),
    )
    op.create_index(
        "ix_profile_order_operator_id_profile_type_profile_state_iccid",
        "profile_order",
        ["operator_id", "profile_type", "profile_state", "iccid"],
    )

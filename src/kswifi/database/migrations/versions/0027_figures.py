"""The figures of each day, the indexes that they are computed by, and the voucher of each session."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

_INDEXES = (
    ("user_account", "created_at"),
    ("book_entry", "at"),
    ("charging_hour", "hour_at"),
    ("voucher", "redeemed_at"),
)


def upgrade() -> None:
    """Create tables and indexes; the vouchers that are in use now are stored with their sessions."""
    op.create_table(
        "figure_day",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("dimension", sa.String(120), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "name", "dimension", name="pk_figure_day"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "figure_position",
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_figure_position"),
    )
    op.create_table(
        "voucher_use",
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_voucher_use"),
        sa.ForeignKeyConstraint(["serial"], ["voucher.serial"], name="fk_voucher_use_serial"),
        sa.ForeignKeyConstraint(["batch_id"], ["voucher_batch.batch_id"], name="fk_voucher_use_batch_id"),
    )
    op.create_index("ix_voucher_use_batch_id", "voucher_use", ["batch_id"])
    for table, column in _INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])
    op.execute(
        "INSERT INTO voucher_use (session_id, serial, batch_id)"
        " SELECT session_id, serial, batch_id FROM voucher WHERE session_id IS NOT NULL"
    )

"""Limits of lines: the most that a day uses, and the end of a pause."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

_TABLE = "line_limit"


def upgrade() -> None:
    """Add the table and the column; no line has a limit yet."""
    op.create_table(
        _TABLE,
        sa.Column("esim_id", sa.String(36), nullable=False),
        sa.Column("daily_octets", sa.BigInteger(), nullable=True),
        sa.Column("day_at", sa.BigInteger(), nullable=False),
        sa.Column("day_second", sa.Integer(), nullable=False),
        sa.Column("wish", sa.Integer(), nullable=False),
        sa.Column("lifts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("esim_id", name="pk_line_limit"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_line_limit_esim_id"),
    )
    op.create_index("ix_line_limit_day_second", _TABLE, ["day_second"])
    op.add_column("esim", sa.Column("pause_ends_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them; the ledger keeps the limits that it has."""
    op.drop_column("esim", "pause_ends_at")
    op.drop_table(_TABLE)

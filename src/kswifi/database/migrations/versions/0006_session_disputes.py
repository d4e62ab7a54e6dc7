"""Disputes: users' objections to the statement of an InternetSession."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "session_dispute",
        sa.Column("dispute_id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("words", sa.String(1000), nullable=False),
        sa.Column("hours", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dispute_id", name="pk_session_dispute"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["internet_session.session_id"], name="fk_session_dispute_session_id"
        ),
    )
    op.create_index("ix_session_dispute_session_id", "session_dispute", ["session_id"])

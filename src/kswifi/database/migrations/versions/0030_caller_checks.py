"""Checks of callers without a stored code, and with the reason of a page that was opened without a caller."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Make the table anew: nothing has been written to it before."""
    op.drop_table("caller_check")
    op.create_table(
        "caller_check",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("staff_id", sa.String(36), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.BigInteger()),
        sa.Column("reason", sa.String(300)),
        sa.PrimaryKeyConstraint("user_id", "staff_id", name="pk_caller_check"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_caller_check_user_id"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name="fk_caller_check_staff_id"),
    )

"""Moves to a new phone: the moves, what replaced a line or a session, and the last change of credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

_TABLE = "phone_move"


def upgrade() -> None:
    """Add the table and the columns; nothing was moved yet."""
    op.create_table(
        _TABLE,
        sa.Column("move_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("old_esim_id", sa.String(36), nullable=False),
        sa.Column("new_esim_id", sa.String(36), nullable=True),
        sa.Column("why", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("was_frozen", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("confirmed_by", sa.String(16), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("move_id", name="pk_phone_move"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_phone_move_user_id"),
        sa.ForeignKeyConstraint(["old_esim_id"], ["esim.esim_id"], name="fk_phone_move_old_esim_id"),
        sa.ForeignKeyConstraint(["new_esim_id"], ["esim.esim_id"], name="fk_phone_move_new_esim_id"),
    )
    op.create_index("ix_phone_move_old_esim_id", _TABLE, ["old_esim_id"])
    op.create_index("ix_phone_move_user_id_move_id", _TABLE, ["user_id", "move_id"])
    op.create_index("ix_phone_move_state_due_at", _TABLE, ["state", "due_at"])
    op.add_column("user_account", sa.Column("credentials_changed_at", sa.BigInteger(), nullable=True))
    op.add_column("esim", sa.Column("replaced_by", sa.String(36), nullable=True))
    op.add_column("internet_session", sa.Column("moved_to", sa.String(36), nullable=True))
    for table, name in (("internet_session", "received_octets"), ("octet_transfer", "withheld_octets")):
        op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE internet_session SET received_octets = allowance_octets WHERE source IN ('gift', 'share')")


def downgrade() -> None:
    """Drop them; moves that are under way stay where they are."""
    op.drop_column("octet_transfer", "withheld_octets")
    op.drop_column("internet_session", "received_octets")
    op.drop_column("internet_session", "moved_to")
    op.drop_column("esim", "replaced_by")
    op.drop_column("user_account", "credentials_changed_at")
    op.drop_table(_TABLE)

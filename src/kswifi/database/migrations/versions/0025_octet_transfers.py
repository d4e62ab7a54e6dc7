"""Octets that people pass on: transfers in transit, where a session's octets come from, and their money."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

_TABLE = "octet_transfer"


def upgrade() -> None:
    """Add the table and the columns; existing sessions were ordered, and gave nothing away."""
    op.create_table(
        _TABLE,
        sa.Column("transfer_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("code", sa.String(24), nullable=True),
        sa.Column("giver_id", sa.String(36), nullable=False),
        sa.Column("receiver_id", sa.String(36), nullable=True),
        sa.Column("from_session_id", sa.String(36), nullable=False),
        sa.Column("to_session_id", sa.String(36), nullable=True),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("kobo", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("transfer_id", name="pk_octet_transfer"),
        sa.UniqueConstraint("code", name="uq_octet_transfer_code"),
        sa.UniqueConstraint("to_session_id", name="uq_octet_transfer_to_session_id"),
        sa.CheckConstraint("octets > 0 AND kobo >= 0", name="ck_octet_transfer_positive"),
        sa.ForeignKeyConstraint(["giver_id"], ["user_account.user_id"], name="fk_octet_transfer_giver_id"),
        sa.ForeignKeyConstraint(["receiver_id"], ["user_account.user_id"], name="fk_octet_transfer_receiver_id"),
        sa.ForeignKeyConstraint(
            ["from_session_id"], ["internet_session.session_id"], name="fk_octet_transfer_from_session_id"
        ),
        sa.ForeignKeyConstraint(
            ["to_session_id"], ["internet_session.session_id"], name="fk_octet_transfer_to_session_id"
        ),
    )
    op.create_index("ix_octet_transfer_from_session_id", _TABLE, ["from_session_id"])
    op.create_index("ix_octet_transfer_giver_id_transfer_id", _TABLE, ["giver_id", "transfer_id"])
    op.create_index("ix_octet_transfer_receiver_id_transfer_id", _TABLE, ["receiver_id", "transfer_id"])
    op.create_index("ix_octet_transfer_state_expires_at", _TABLE, ["state", "expires_at"])
    session = "internet_session"
    op.add_column(session, sa.Column("source", sa.String(8), nullable=False, server_default="order"))
    op.add_column(session, sa.Column("sent_octets", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("free_grant", sa.Column("most_kobo", sa.BigInteger(), nullable=True))
    op.add_column("free_grant", sa.Column("given_octets", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them; octets in transit are lost to their givers."""
    op.drop_column("free_grant", "given_octets")
    op.drop_column("free_grant", "most_kobo")
    op.drop_column("internet_session", "sent_octets")
    op.drop_column("internet_session", "source")
    op.drop_table(_TABLE)

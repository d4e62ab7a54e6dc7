"""Codes sent to phone numbers, the lab's outbox of messages, and the mark of an account's verified number."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the tables; no account has a verified number yet."""
    op.add_column("user_account", sa.Column("phone_mark", sa.String(64), nullable=True))
    op.create_index("ix_user_account_phone_mark", "user_account", ["phone_mark"], unique=True)
    op.create_table(
        "phone_verification",
        sa.Column("verification_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("phone_number", sa.String(16), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("verification_id", name="pk_phone_verification"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_phone_verification_user_id"),
    )
    op.create_index("ix_phone_verification_user_id", "phone_verification", ["user_id"])
    op.create_index("ix_phone_verification_expires_at", "phone_verification", ["expires_at"])
    op.create_table(
        "lab_text_message",
        sa.Column("reference", sa.String(36), nullable=False),
        sa.Column("phone_number", sa.String(16), nullable=False),
        sa.Column("words", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reference", name="pk_lab_text_message"),
    )
    op.create_index("ix_lab_text_message_at", "lab_text_message", ["at"])

"""Proofs of identifiers, devices of LoginSessions, and the credential generation of accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add columns and a table; no identifier is proved yet, and no LoginSession has a device name."""
    op.add_column("user_account", sa.Column("identifier_proved_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "user_account", sa.Column("credential_generation", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("login_session", sa.Column("browser", sa.String(40), nullable=True))
    op.add_column("login_session", sa.Column("network", sa.String(64), nullable=True))
    op.create_table(
        "identifier_proof",
        sa.Column("proof_id", sa.String(36), nullable=False),
        sa.Column("identifier", sa.String(254), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proof_id", name="pk_identifier_proof"),
    )
    op.create_index("ix_identifier_proof_expires_at", "identifier_proof", ["expires_at"])
    # Email addresses are longer than phone numbers. SQLite never enforced the shorter length.
    with op.batch_alter_table("lab_text_message") as table:
        table.alter_column("phone_number", existing_type=sa.String(16), type_=sa.String(254))

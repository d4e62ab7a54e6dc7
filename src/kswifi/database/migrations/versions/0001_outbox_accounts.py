"""Outbox, domain events, accounts, LoginSessions and idempotent requests."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "outbox_entry",
        sa.Column("id", big_id, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("last_error", sa.String(1000)),
        sa.Column("finished_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_entry"),
        sa.UniqueConstraint("key", name="uq_outbox_entry_key"),
        sa.CheckConstraint("state IN ('waiting', 'done', 'refused', 'stuck')", name="ck_outbox_entry_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_entry_state_run_at", "outbox_entry", ["state", "run_at"])
    op.create_table(
        "domain_event",
        sa.Column("sequence", big_id, primary_key=True, autoincrement=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_domain_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_domain_event_user_id_sequence", "domain_event", ["user_id", "sequence"])
    op.create_table(
        "user_account",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("phone_number", sa.String(16)),
        sa.Column("email", sa.String(254)),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("recovery_code_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_account"),
        sa.UniqueConstraint("phone_number", name="uq_user_account_phone_number"),
        sa.UniqueConstraint("email", name="uq_user_account_email"),
        sa.CheckConstraint("(phone_number IS NULL) <> (email IS NULL)", name="ck_user_account_one_identifier"),
    )
    op.create_table(
        "login_session",
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login_session"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.user_id"], name="fk_login_session_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_login_session_user_id", "login_session", ["user_id"])
    op.create_index("ix_login_session_expires_at", "login_session", ["expires_at"])
    op.create_table(
        "idempotent_request",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("user_id", "key", name="pk_idempotent_request"),
    )
    op.create_index("ix_idempotent_request_begun_at", "idempotent_request", ["begun_at"])

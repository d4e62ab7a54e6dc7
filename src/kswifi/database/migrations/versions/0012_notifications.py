"""Web Push: subscriptions of devices, users' wishes, and sent alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "push_subscription",
        sa.Column("subscription_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("endpoint", sa.String(1000), nullable=False),
        sa.Column("key", sa.LargeBinary(65), nullable=False),
        sa.Column("secret", sa.LargeBinary(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", name="pk_push_subscription"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_push_subscription_user_id"),
        sa.UniqueConstraint("endpoint", name="uq_push_subscription_endpoint"),
    )
    op.create_index("ix_push_subscription_user_id", "push_subscription", ["user_id"])
    op.create_table(
        "notification_wish",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("usage", sa.Boolean(), nullable=False),
        sa.Column("expiry", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_notification_wish"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_notification_wish_user_id"),
    )
    op.create_table(
        "told_alert",
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "name", name="pk_told_alert"),
        sa.ForeignKeyConstraint(["session_id"], ["internet_session.session_id"], name="fk_told_alert_session_id"),
    )
    op.create_table(
        "notified_sequence",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_notified_sequence"),
    )

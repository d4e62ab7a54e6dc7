"""Data of profiles in operators' stock, the expiry of orders, and deletions that cards reported."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the columns; an existing profile has the metadata of its package, and no expiry."""
    op.add_column("operator_profile", sa.Column("profile_name", sa.String(64), nullable=True))
    op.add_column("operator_profile", sa.Column("icon", sa.LargeBinary(), nullable=True))
    op.add_column("operator_profile", sa.Column("owner", sa.LargeBinary(), nullable=True))
    op.add_column("operator_profile", sa.Column("policy_rules", sa.Integer(), nullable=True))
    op.add_column("operator_profile", sa.Column("order_days", sa.Integer(), nullable=True))
    op.add_column("profile_order", sa.Column("deleted_sequence", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_profile_order_expires_at",
        "profile_order",
        ["expires_at"],
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )

"""The instant since which a push service refuses a subscription's messages."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the column; no refusal is known yet."""
    op.add_column("push_subscription", sa.Column("refused_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("push_subscription", "refused_at")

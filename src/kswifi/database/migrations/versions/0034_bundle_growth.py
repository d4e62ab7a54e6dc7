"""When the use of a bundle was seen to grow last."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Add the column; growth that was seen before is not known."""
    op.add_column("bundle_usage", sa.Column("grew_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("bundle_usage", "grew_at")

"""The offer of a batch of vouchers: NULL for any free offer, as all batches before."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Add the column."""
    op.add_column("voucher_batch", sa.Column("offer_id", sa.String(32)))


def downgrade() -> None:
    """Drop the column: vouchers are good for any free offer again."""
    op.drop_column("voucher_batch", "offer_id")

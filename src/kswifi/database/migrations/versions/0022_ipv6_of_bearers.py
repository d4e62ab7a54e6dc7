"""Charging data records keep the IPv6 address and the prefix length of a bearer."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_TABLE = "charging_data_record"


def upgrade() -> None:
    """Add the columns; they are NULL in existing records."""
    op.add_column(_TABLE, sa.Column("pdp_ipv6_address", sa.String(45), nullable=True))
    op.add_column(_TABLE, sa.Column("pdp_prefix_length", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column(_TABLE, "pdp_prefix_length")
    op.drop_column(_TABLE, "pdp_ipv6_address")

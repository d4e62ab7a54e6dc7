"""Charging data records name their source: a network's Gy reports, or the counter of a data provider."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add the column; all existing records came over Gy."""
    op.add_column("charging_data_record", sa.Column("source", sa.String(16), nullable=False, server_default="gy"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("charging_data_record", "source")

"""Venues with free WiFi: name, area and hours, in the operator's words."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "wifi_venue",
        sa.Column("venue_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("area", sa.String(60), nullable=False),
        sa.Column("hours", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("venue_id", name="pk_wifi_venue"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("wifi_venue")

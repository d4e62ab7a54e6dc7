"""Drop the challenges of the read-back: the card's signed install result is the proof now."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Drop the table."""
    op.drop_table("storage_challenge")

"""The instant of an InternetSession's first used octet."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("internet_session", sa.Column("activated_at", sa.BigInteger()))

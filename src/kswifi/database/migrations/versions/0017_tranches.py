"""Free sessions in tranches: what of a session is withheld, as the ledger says."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the column; nothing of the sessions that are there is withheld."""
    op.add_column("session_balance", sa.Column("withheld", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take the column away."""
    op.drop_column("session_balance", "withheld")

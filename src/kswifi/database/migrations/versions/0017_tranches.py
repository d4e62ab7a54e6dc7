"""Free sessions in tranches: the octets of an InternetSession that the ledger withholds."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the column; of existing sessions nothing is withheld."""
    op.add_column("session_balance", sa.Column("withheld", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("session_balance", "withheld")

"""Balances written later than states: the journal record of each row, and the place within a record."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the columns. Balances and states have been written together so far: both are read equally far."""
    op.add_column("session_balance", sa.Column("sequence", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("ledger_projection", sa.Column("effects", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "INSERT INTO ledger_projection (name, sequence, effects)"
        " SELECT 'balances', sequence, 0 FROM ledger_projection WHERE name = 'sessions'"
    )


def downgrade() -> None:
    """Take the columns away; what the older code reads is right once all balances are written."""
    op.execute("DELETE FROM ledger_projection WHERE name = 'balances'")
    op.drop_column("ledger_projection", "effects")
    op.drop_column("session_balance", "sequence")

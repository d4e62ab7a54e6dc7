"""The digest of a line's phone number, by which a dial to the operator's USSD code finds the line."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Add the column; a number that was kept before has a digest from its next verification on."""
    op.add_column("provider_line", sa.Column("msisdn_digest", sa.LargeBinary(), nullable=True))
    op.create_index("ix_provider_line_msisdn_digest", "provider_line", ["msisdn_digest"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_provider_line_msisdn_digest", "provider_line")
    op.drop_column("provider_line", "msisdn_digest")

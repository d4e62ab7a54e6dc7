"""Contents of cards: records by slot, counters of secured packets, the order of use and the pending changes."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_INSTALLED_RECORDS = """
INSERT INTO card_record (esim_id, number, session_id, wanted, known, tries)
SELECT s.esim_id, 1, s.session_id, s.session_record, s.session_record, 0
FROM internet_session s JOIN esim e ON e.esim_id = s.esim_id
WHERE e.profile_state = 'installed' AND s.storage_proof = 'install_result' AND s.session_record = e.session_record
"""


def upgrade() -> None:
    """Create the tables, with the records that installed profiles contain."""
    op.create_table(
        "card_line",
        sa.Column("esim_id", sa.String(36), nullable=False),
        sa.Column("packet_counter", sa.BigInteger(), nullable=False),
        sa.Column("wanted_order", sa.JSON(), nullable=False),
        sa.Column("wants_next", sa.Boolean(), nullable=False),
        sa.Column("wish", sa.Integer(), nullable=False),
        sa.Column("session_order", sa.JSON(), nullable=False),
        sa.Column("continues", sa.Boolean(), nullable=False),
        sa.Column("chosen_session_id", sa.String(36), nullable=True),
        sa.PrimaryKeyConstraint("esim_id", name="pk_card_line"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_card_line_esim_id"),
    )
    op.create_table(
        "card_record",
        sa.Column("esim_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("wanted", sa.LargeBinary(), nullable=False),
        sa.Column("known", sa.LargeBinary(), nullable=True),
        sa.Column("packet_counter", sa.BigInteger(), nullable=True),
        sa.Column("packet_content", sa.LargeBinary(), nullable=True),
        sa.Column("failure", sa.String(64), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("esim_id", "number", name="pk_card_record"),
        sa.ForeignKeyConstraint(["esim_id"], ["esim.esim_id"], name="fk_card_record_esim_id"),
        sa.ForeignKeyConstraint(["session_id"], ["internet_session.session_id"], name="fk_card_record_session_id"),
        sa.UniqueConstraint("session_id", name="uq_card_record_session_id"),
    )
    op.execute(_INSTALLED_RECORDS)

"""Charging data records."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "charging_data_record",
        sa.Column("session_id", sa.String(320), nullable=False),
        sa.Column("imsi", sa.String(15), nullable=False),
        sa.Column("peer", sa.String(255), nullable=False),
        sa.Column("apn", sa.String(100)),
        sa.Column("charging_id", sa.BigInteger()),
        sa.Column("rat_type", sa.Integer()),
        sa.Column("user_location", sa.String(128)),
        sa.Column("sgsn_mcc_mnc", sa.String(8)),
        sa.Column("pdp_address", sa.String(45)),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("cause", sa.String(32)),
        sa.Column("termination_cause", sa.Integer()),
        sa.Column("last_rat_type", sa.Integer()),
        sa.Column("last_user_location", sa.String(128)),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("overrun_octets", sa.BigInteger(), nullable=False),
        sa.Column("input_octets", sa.BigInteger(), nullable=False),
        sa.Column("output_octets", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("open_reservations", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_charging_data_record"),
    )
    op.create_index(
        "ix_charging_data_record_opened_at_session_id", "charging_data_record", ["opened_at", "session_id"]
    )
    op.create_index("ix_charging_data_record_imsi_opened_at", "charging_data_record", ["imsi", "opened_at"])
    op.create_index("ix_charging_data_record_closed_at", "charging_data_record", ["closed_at"])
    op.create_table(
        "charging_hour",
        sa.Column("session_id", sa.String(320), nullable=False),
        sa.Column("hour_at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(36), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("overrun_octets", sa.BigInteger(), nullable=False),
        sa.Column("input_octets", sa.BigInteger(), nullable=False),
        sa.Column("output_octets", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "hour_at", "account_id", name="pk_charging_hour"),
    )
    op.create_index("ix_charging_hour_account_id_hour_at", "charging_hour", ["account_id", "hour_at"])
    op.create_table(
        "charging_reservation",
        sa.Column("reservation_id", sa.String(320), nullable=False),
        sa.Column("session_id", sa.String(320), nullable=False),
        sa.PrimaryKeyConstraint("reservation_id", name="pk_charging_reservation"),
    )
    op.create_table(
        "charging_projection",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_charging_projection"),
    )

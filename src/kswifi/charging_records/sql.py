"""The tables of charging data records."""

from typing import Final

from sqlalchemy import Column, Index, Integer, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime, UuidText

SESSION_ID_LENGTH: Final = 320

charging_data_record: Final = Table(
    "charging_data_record",
    metadata,
    Column("session_id", String(SESSION_ID_LENGTH), primary_key=True),
    Column("imsi", String(15), nullable=False),
    Column("peer", String(255), nullable=False),
    Column("apn", String(100)),
    Column("charging_id", ExactInteger),
    Column("rat_type", Integer),
    Column("user_location", String(128)),
    Column("sgsn_mcc_mnc", String(8)),
    Column("pdp_address", String(45)),
    Column("pdp_ipv6_address", String(45)),
    Column("pdp_prefix_length", Integer),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    # NULL while it is open.
    Column("closed_at", UtcDateTime),
    Column("cause", String(32)),
    Column("termination_cause", Integer),
    Column("last_rat_type", Integer),
    Column("last_user_location", String(128)),
    Column("octets", ExactInteger, nullable=False),
    Column("overrun_octets", ExactInteger, nullable=False),
    Column("input_octets", ExactInteger, nullable=False),
    Column("output_octets", ExactInteger, nullable=False),
    Column("seconds", ExactInteger, nullable=False),
    Column("open_reservations", Integer, nullable=False),
    Column("source", String(16), nullable=False, server_default="gy"),
    Index(None, "opened_at", "session_id"),
    Index(None, "imsi", "opened_at"),
    Index(None, "closed_at"),
)
"""One row per ChargingSession. It has no foreign keys, so that it outlives the account that paid."""

charging_hour: Final = Table(
    "charging_hour",
    metadata,
    Column("session_id", String(SESSION_ID_LENGTH), primary_key=True),
    Column("hour_at", UtcDateTime, primary_key=True),
    Column("account_id", UuidText, primary_key=True),
    Column("octets", ExactInteger, nullable=False),
    Column("overrun_octets", ExactInteger, nullable=False),
    Column("input_octets", ExactInteger, nullable=False),
    Column("output_octets", ExactInteger, nullable=False),
    Column("seconds", ExactInteger, nullable=False),
    Index(None, "account_id", "hour_at"),
    Index(None, "hour_at"),
)
"""The usage of each hour, by the internet session that paid."""

charging_reservation: Final = Table(
    "charging_reservation",
    metadata,
    Column("reservation_id", String(SESSION_ID_LENGTH), primary_key=True),
    Column("session_id", String(SESSION_ID_LENGTH), nullable=False),
)
"""The ChargingSession of each reservation, while the ledger remembers the reservation."""

charging_projection: Final = Table(
    "charging_projection",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("sequence", ExactInteger, nullable=False),
)
"""The projector's position in the journal, written in the transaction of the records themselves."""

"""The tables of eSIMs."""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import BigId, ExactInteger, UtcDateTime, UuidText

esim_serial: Final = Table(
    "esim_serial",
    metadata,
    Column("serial", BigId, primary_key=True, autoincrement=True),
    sqlite_autoincrement=True,
)
"""Serial numbers of lines: counted up by the database, never given twice."""

esim: Final = Table(
    "esim",
    metadata,
    Column("esim_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    Column("iccid", String(20), nullable=False, unique=True),
    Column("imsi", String(15), nullable=False, unique=True),
    Column("matching_id", String(40), nullable=False, unique=True),
    Column("eid", String(32)),
    Column("profile_state", String(16), nullable=False),
    Column("hold", String(16)),
    # The line as its owner wants it, counted up with each change of mind; `hold` is what the ledger says it is.
    Column("wants_pause", Boolean, nullable=False),
    Column("wish", Integer, nullable=False),
    # K and OPc, sealed (vault.py); the highest sequence number given out (TS 33.102, C.1.1.1: SQN = SEQ || IND).
    Column("sealed_keys", LargeBinary, nullable=False),
    Column("seq", ExactInteger, nullable=False),
    Column("ind", Integer, nullable=False),
    # What the profile carries for the session, once a transfer was asked for.
    Column("session_record", LargeBinary),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "user_id"),
)

"""The tables of eSIMs, of the SM-DP+'s orders and of its RspSessions."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

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

profile_order: Final = Table(
    "profile_order",
    metadata,
    Column("order_id", UuidText, primary_key=True),
    # An order made of a file that anyone may order (package_name) has no MatchingID of its own: it is its card's.
    Column("matching_id", String(255), unique=True),
    Column("iccid", String(20), nullable=False),
    # Where the profile package comes from: a line of ours, or a file of the folder that was given.
    Column("esim_id", UuidText, ForeignKey("esim.esim_id"), unique=True),
    Column("package_name", String(255)),
    Column("profile_state", String(16), nullable=False),
    Column("state_reason", String(200)),
    Column("eid", String(32)),
    Column("confirmation_code_digest", LargeBinary(32)),
    Column("confirmation_code_failures", Integer, nullable=False),
    Column("downloads", Integer, nullable=False),
    Column("expires_at", UtcDateTime),
    # The newest binding: a retry of the same card with the same one-time key gets the same keys again.
    Column("bound_otpk", LargeBinary(65)),
    Column("bound_identity", LargeBinary(64)),
    Column("sealed_binding", LargeBinary),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("(esim_id IS NULL) <> (package_name IS NULL)", name="one_source"),
    Index(None, "eid", "created_at"),
)
"""Download orders of the SM-DP+ (SGP.22 v2, 3.1.1), each for one profile."""

rsp_session: Final = Table(
    "rsp_session",
    metadata,
    Column("transaction_id", LargeBinary(16), primary_key=True),
    Column("order_id", UuidText, ForeignKey("profile_order.order_id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("eid", String(32), nullable=False),
    Column("card_curve", String(8), nullable=False),
    Column("card_key", LargeBinary(65), nullable=False),
    Column("identity", LargeBinary(64), nullable=False),
    Column("request_digest", LargeBinary(32), nullable=False),
    Column("smdp_signed2", LargeBinary, nullable=False),
    Column("smdp_signature2", LargeBinary(64), nullable=False),
    Column("euicc_otpk", LargeBinary(65)),
    Column("install_result", LargeBinary),
    Column("created_at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)
"""RspSessions: transactions whose card has proved itself, until its install result and for a while after.

Their ids begin with their instant (tickets.py), so the key's order is that of time, and one tree holds it all.
"""

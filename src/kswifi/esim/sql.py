"""The tables of eSIMs, of the SM-DP+'s orders and of its RspSessions."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from kswifi.database.dialect import COUNTED_UP, ONE_TREE, partial_index, partial_unique_index
from kswifi.database.engine import metadata
from kswifi.database.types import BigId, ExactInteger, UtcDateTime, UuidText

esim_serial: Final = Table(
    "esim_serial",
    metadata,
    Column("serial", BigId, primary_key=True, autoincrement=True),
    **COUNTED_UP,
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
    # Whose SM-DP+ has its profile, where that is not our own (`peer_order`).
    Column("smdp_address", String(255)),
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
    # Whose profile it is where an operator stocked it (`operator`): package_name is then its ICCID.
    Column("operator_id", UuidText),
    Column("profile_type", String(64)),
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
    # The highest sequence number by which its card has reported that it deleted the profile.
    Column("deleted_sequence", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("(esim_id IS NULL) <> (package_name IS NULL)", name="one_source"),
    Index(None, "eid", "created_at"),
    # One order at a time for a profile of an operator; what was cancelled stays beside it as Unavailable.
    partial_unique_index(
        "uq_profile_order_operator_iccid",
        "iccid",
        where="operator_id IS NOT NULL AND profile_state <> 'unavailable'",
    ),
    Index(None, "operator_id", "profile_type", "profile_state", "iccid"),
    partial_index("expires_at", where="expires_at IS NOT NULL"),
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
    **ONE_TREE,
)
"""RspSessions: transactions whose card has proved itself, until its install result and for a while after.

Their ids begin with their instant (tickets.py), so the key's order is that of time, and one tree holds it all.
"""

operator: Final = Table(
    "operator",
    metadata,
    Column("operator_id", UuidText, primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("callback_url", String(500)),
    Column("callback_ca", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
)
"""Who speaks ES2+ with us."""

operator_certificate: Final = Table(
    "operator_certificate",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("operator_id", UuidText, ForeignKey("operator.operator_id"), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
)
"""TLS client certificates by their SHA-256: what a requester is recognised by, and nothing else."""

operator_profile: Final = Table(
    "operator_profile",
    metadata,
    Column("iccid", String(20), primary_key=True),
    Column("operator_id", UuidText, ForeignKey("operator.operator_id"), nullable=False),
    Column("profile_type", String(64), nullable=False),
    Column("sealed_package", LargeBinary, nullable=False),
    # What the operator said of it (stock_metadata.py); NULL is what its package gives, or nothing.
    Column("profile_name", String(64)),
    Column("icon", LargeBinary),
    Column("owner", LargeBinary),
    Column("policy_rules", Integer),
    Column("order_days", Integer),
    Column("created_at", UtcDateTime, nullable=False),
)
"""Operators' profiles, sealed: they hold subscribers' keys."""

es2_answer: Final = Table(
    "es2_answer",
    metadata,
    Column("request_digest", LargeBinary(32), primary_key=True),
    Column("operator_id", UuidText, ForeignKey("operator.operator_id"), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)
"""What each function call was answered, so that the same call again gets the same answer."""

stock_line: Final = Table(
    "stock_line",
    metadata,
    Column("iccid", String(20), primary_key=True),
    Column("imsi", String(15), nullable=False, unique=True),
    Column("batch", UuidText, nullable=False),
    # False until the operator has said that the SM-DP+ has its profile.
    Column("ready", Boolean, nullable=False),
    Column("sealed_keys", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "ready", "iccid"),
    Index(None, "batch"),
)
"""Lines whose profiles were handed to another's SM-DP+, and that nobody has ordered; then they are eSIMs."""

peer_order: Final = Table(
    "peer_order",
    metadata,
    Column("esim_id", UuidText, ForeignKey("esim.esim_id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("profile_state", String(16), nullable=False),
    Column("state_reason", String(200)),
    Column("eid", String(32)),
    Column("created_at", UtcDateTime, nullable=False),
)
"""Orders of our lines at another's SM-DP+; after one that was cancelled comes the next attempt."""

peer_call: Final = Table(
    "peer_call",
    metadata,
    Column("identifier", String(80), primary_key=True),
    Column("esim_id", UuidText, ForeignKey("esim.esim_id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("function", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    # NULL as long as nobody knows; then whether it was done, and why not: SGP.22's codes, and words.
    Column("done", Boolean),
    Column("codes", String(64)),
    Column("reason", String(300)),
    Column("asked_at", UtcDateTime, nullable=False),
    Index(None, "esim_id", "attempt"),
)
"""Every call of ES2+ to another's SM-DP+, written down before it is made."""

"""The tables of internet sessions."""

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from kswifi.database.dialect import COUNTED_UP
from kswifi.database.engine import metadata
from kswifi.database.types import BigId, ExactInteger, UtcDateTime, UuidText

internet_session: Final = Table(
    "internet_session",
    metadata,
    Column("session_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    Column("esim_id", UuidText, ForeignKey("esim.esim_id"), nullable=False),
    Column("offer_id", String(32), nullable=False),
    Column("free", Boolean, nullable=False),
    # NULL: uncapped. A free session always has a cap.
    Column("allowance_octets", ExactInteger),
    Column("state", String(16), nullable=False),
    Column("state_reason", String(200)),
    Column("ordered_at", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    Column("package_sha256", String(64)),
    Column("package_octets", ExactInteger),
    Column("session_record", LargeBinary),
    Column("storage_proof", String(32)),
    Column("activated_at", UtcDateTime),
    # The period of the pass under which the session was ordered; NULL without a pass.
    Column("pass_period_id", UuidText, index=True),
    # Where its octets come from: "order", or another session: "gift", "share", "move".
    Column("source", String(8), nullable=False, server_default="order"),
    # Octets that left it for other sessions.
    Column("sent_octets", ExactInteger, nullable=False, server_default="0"),
    # Octets of the allowance that come from another session; the others are credited in tranches.
    Column("received_octets", ExactInteger, nullable=False, server_default="0"),
    # The session to which it moved with its owner's new eSIM.
    Column("moved_to", UuidText),
    UniqueConstraint("user_id", "idempotency_key"),
    CheckConstraint("NOT free OR allowance_octets IS NOT NULL", name="free_is_capped"),
    Index(None, "user_id", "ordered_at"),
    Index(None, "esim_id"),
)

session_timeline: Final = Table(
    "session_timeline",
    metadata,
    Column("sequence", BigId, primary_key=True, autoincrement=True),
    Column("session_id", UuidText, ForeignKey("internet_session.session_id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(200)),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "session_id", "sequence"),
    Index(None, "at"),
    **COUNTED_UP,
)
"""Every state that a session has had, with the instant; written with the state, and kept when events are pruned."""

session_package: Final = Table(
    "session_package",
    metadata,
    Column("session_id", UuidText, ForeignKey("internet_session.session_id"), primary_key=True),
    Column("package", LargeBinary, nullable=False),
)
"""The signed packages. A table of their own, so that reading a session does not read its package."""

session_balance: Final = Table(
    "session_balance",
    metadata,
    Column("session_id", UuidText, ForeignKey("internet_session.session_id"), primary_key=True),
    Column("credited", ExactInteger, nullable=False),
    Column("used", ExactInteger, nullable=False),
    Column("reserved", ExactInteger, nullable=False),
    Column("available", ExactInteger, nullable=False),
    Column("overrun", ExactInteger, nullable=False),
    Column("expired", ExactInteger, nullable=False),
    Column("revoked", ExactInteger, nullable=False),
    Column("withheld", ExactInteger, nullable=False, server_default="0"),
    Column("as_of", UtcDateTime, nullable=False),
    Column("sequence", ExactInteger, nullable=False, server_default="0"),
)
"""What the ledger says: ``as_of`` is the instant of the newest effect in it, ``sequence`` its journal record."""

ledger_projection: Final = Table(
    "ledger_projection",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("sequence", ExactInteger, nullable=False),
    # Of the record after that one, so many effects are projected too.
    Column("effects", Integer, nullable=False, server_default="0"),
)
"""The sequence number of the last projected journal record, written in the transaction that applied it."""

session_dispute: Final = Table(
    "session_dispute",
    metadata,
    Column("dispute_id", UuidText, primary_key=True),
    Column("session_id", UuidText, ForeignKey("internet_session.session_id"), nullable=False, index=True),
    Column("words", String(1000), nullable=False),
    # The start of each disputed hour, in Unix seconds.
    Column("hours", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # What support answered; NULL while the dispute is open.
    Column("answer", String(1000)),
    Column("answered_at", UtcDateTime),
    Index(None, "answered_at", "created_at"),
)
"""Users' complaints about statements, and the answers to them."""

card_line: Final = Table(
    "card_line",
    metadata,
    Column("esim_id", UuidText, ForeignKey("esim.esim_id"), primary_key=True),
    # The highest counter of a secured packet. It is increased before the packet is handed out and never reused.
    Column("packet_counter", ExactInteger, nullable=False),
    # ``wanted_order`` and ``wants_next``: as the owner requested; ``wish`` counts the requests.
    # ``session_order`` and ``continues``: as the ledger has confirmed.
    Column("wanted_order", JSON, nullable=False),
    Column("wants_next", Boolean, nullable=False),
    Column("wish", Integer, nullable=False),
    Column("session_order", JSON, nullable=False),
    Column("continues", Boolean, nullable=False),
    # The session that the owner chose to use next, for the next time that the hold is lifted.
    Column("chosen_session_id", UuidText),
)
"""A line's packet counter, its order of use, and whether the next session follows a finished one automatically."""

card_record: Final = Table(
    "card_record",
    metadata,
    Column("esim_id", UuidText, ForeignKey("esim.esim_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("session_id", UuidText, ForeignKey("internet_session.session_id"), nullable=False, unique=True),
    # The required content, and the content that the card has proved (NULL before the first proof).
    Column("wanted", LargeBinary, nullable=False),
    Column("known", LargeBinary),
    # The counter and the content of the newest packet for this record.
    Column("packet_counter", ExactInteger),
    Column("packet_content", LargeBinary),
    Column("failure", String(64)),
    Column("tries", Integer, nullable=False),
)
"""The records of EF.SESSIONS by number; ``wanted != known`` marks a record that needs a packet."""

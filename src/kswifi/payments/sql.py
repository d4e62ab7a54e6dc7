"""The tables of payments, passes, gateway items and reconciliations."""

from typing import Final

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime, UuidText

REFERENCE_LENGTH: Final = 64
INSTRUMENT_LENGTH: Final = 64

payment: Final = Table(
    "payment",
    metadata,
    Column("reference", String(REFERENCE_LENGTH), primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    Column("offer_id", String(32), nullable=False),
    Column("title", String(80), nullable=False),
    Column("amount_kobo", ExactInteger, nullable=False),
    Column("valid_days", Integer, nullable=False),
    Column("limit_octets", ExactInteger),
    Column("gateway", String(16), nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(200)),
    Column("checkout_url", String(500)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("refunded_at", UtcDateTime),
    Column("paid_kobo", ExactInteger),
    Column("fees_kobo", ExactInteger),
    Column("refund_kobo", ExactInteger),
    Column("channel", String(40)),
    # What paid (card, bank account), as the gateway identifies it; NULL if it does not.
    Column("instrument", String(INSTRUMENT_LENGTH)),
    # Set before the gateway is first asked for a refund: from then on its refunds are looked up before each
    # request.
    Column("refund_tried_at", UtcDateTime),
    CheckConstraint("amount_kobo > 0", name="costs_something"),
    Index(None, "user_id", "created_at"),
    Index(None, "state"),
    Index(None, "instrument", "settled_at"),
)

pass_period: Final = Table(
    "pass_period",
    metadata,
    Column("period_id", UuidText, primary_key=True),
    Column("user_id", UuidText, ForeignKey("user_account.user_id"), nullable=False),
    # One pass period per payment, however often the payment is reported.
    Column("reference", String(REFERENCE_LENGTH), ForeignKey("payment.reference"), nullable=False, unique=True),
    Column("offer_id", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("valid_days", Integer, nullable=False),
    Column("price_kobo", ExactInteger, nullable=False),
    Column("limit_octets", ExactInteger),
    Column("earned_days", Integer, nullable=False),
    Index(None, "user_id", "ends_at"),
)

# Refunds, disputes, payouts and unclaimed receipts under the gateway's ids. Their money is in the book.
gateway_item: Final = Table(
    "gateway_item",
    metadata,
    Column("gateway", String(16), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("item_id", String(REFERENCE_LENGTH), primary_key=True),
    # No foreign key: an unclaimed receipt's payment was deleted.
    Column("reference", String(REFERENCE_LENGTH)),
    Column("sandbox", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount_kobo", ExactInteger, nullable=False),
    Column("fees_kobo", ExactInteger, nullable=False),
    Column("due_at", UtcDateTime),
    Column("noted_at", UtcDateTime, nullable=False),
    Index(None, "kind", "state"),
    Index(None, "reference"),
)

reconciliation: Final = Table(
    "reconciliation",
    metadata,
    Column("gateway", String(16), primary_key=True),
    Column("from_at", UtcDateTime, primary_key=True),
    Column("to_at", UtcDateTime, nullable=False),
    Column("ran_at", UtcDateTime, nullable=False),
    Column("findings", JSON, nullable=False),
)

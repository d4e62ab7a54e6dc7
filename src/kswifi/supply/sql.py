"""Tables of supply: offers' bundles, orders at providers, lines that providers serve, counters, notices."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from kswifi.database.dialect import partial_index
from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger, UtcDateTime, UuidText

supply_offer: Final = Table(
    "supply_offer",
    metadata,
    Column("offer_id", String(32), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("network", String(32), primary_key=True, server_default=""),
    Column("bundle_id", String(128), nullable=False),
    Column("bundle_octets", ExactInteger, nullable=False),
    Column("days", Integer),
    Column("price_minor", ExactInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("in_stock", Boolean, nullable=False),
    Column("mapped_at", UtcDateTime, nullable=False),
)
"""The bundle that is bought for each offer, on each network for lines that people have ("" for a profile)."""

provider_line: Final = Table(
    "provider_line",
    metadata,
    Column("line_id", UuidText, ForeignKey("esim.esim_id"), primary_key=True),
    Column("provider", String(32), nullable=False),
    # "profile" or "onto_line" (supply.ports.Delivery).
    Column("kind", String(16), nullable=False),
    # The key at the provider. Providers reuse ICCIDs, so the ICCID is no key.
    Column("provider_ref", String(128)),
    Column("iccid", String(22)),
    # The phone number and the installation data, encrypted for this line.
    Column("sealed_msisdn", LargeBinary),
    # A keyed digest of the phone number, by which a dial finds the line.
    Column("msisdn_digest", LargeBinary),
    Column("sealed_installation", LargeBinary),
    Column("network", String(32)),
    # Whether the provider can switch the data off and on again.
    Column("pauses", Boolean, nullable=False),
    Column("verified_at", UtcDateTime),
    Column("consent_at", UtcDateTime),
    Column("wants_on", Boolean, nullable=False),
    Column("used_up", Boolean, nullable=False),
    Column("observed", String(16)),
    Column("observed_at", UtcDateTime),
    Column("wanted_since", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "provider", "provider_ref"),
    Index(None, "msisdn_digest"),
    partial_index("next_try_at", where="next_try_at IS NOT NULL"),
)
"""A line that a provider serves. ``next_try_at`` is NULL once the provider confirmed the wish."""

provider_order: Final = Table(
    "provider_order",
    metadata,
    Column("reference", String(64), primary_key=True),
    Column("session_id", UuidText, nullable=False, index=True),
    Column("line_id", UuidText, ForeignKey("provider_line.line_id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    # Whether the bundle is for a line that was there before; else the order brings a new profile.
    Column("for_line", Boolean, nullable=False),
    Column("provider", String(32), nullable=False),
    Column("bundle_id", String(128), nullable=False),
    Column("bundle_octets", ExactInteger, nullable=False),
    # The octets of the session that this bundle covers.
    Column("covers_octets", ExactInteger, nullable=False),
    Column("price_minor", ExactInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # The cost at the exchange rate of the intent, and what was booked for it.
    Column("cost_kobo", ExactInteger, nullable=False),
    Column("booked_kobo", ExactInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("words", String(200)),
    Column("refusal", String(32)),
    Column("provider_ref", String(128)),
    Column("bundle_ref", String(128)),
    Column("absent_looks", Integer, nullable=False),
    Column("absent_since", UtcDateTime),
    Column("looks", Integer, nullable=False),
    Column("wants_cancel", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime),
    Column("looked_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    # NULL for an order that needs no call.
    Column("next_look_at", UtcDateTime),
    Index(None, "provider", "state"),
    Index(None, "provider", "provider_ref"),
    partial_index("next_look_at", where="next_look_at IS NOT NULL"),
)
"""Orders at providers, each stored before its first call. A session has one or several, counted by ``number``."""

bundle_usage: Final = Table(
    "bundle_usage",
    metadata,
    Column("line_id", UuidText, ForeignKey("provider_line.line_id"), primary_key=True),
    Column("bundle_ref", String(128), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("used_octets", ExactInteger, nullable=False),
    Column("total_octets", ExactInteger),
    Column("state", String(16), nullable=False),
    Column("as_of", UtcDateTime),
    Column("octets_per_second", Float),
    Column("grew_at", UtcDateTime),
    Column("looked_at", UtcDateTime),
    Column("next_look_at", UtcDateTime),
    partial_index("next_look_at", where="next_look_at IS NOT NULL"),
)
"""The counter of each bundle. A merged counter of a line has one row for several orders."""

supply_notice: Final = Table(
    "supply_notice",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("dedupe_key", String(128), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
)
"""Webhooks that were taken, so that a repeated delivery has no effect."""

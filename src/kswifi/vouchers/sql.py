"""The tables of vouchers. They contain no unredeemed codes, because a signature shows that a code is ours."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table

from kswifi.accounts.sql import user_account
from kswifi.database.engine import metadata
from kswifi.database.types import UtcDateTime, UuidText
from kswifi.vouchers.model import VENUE_LIMIT

voucher_batch: Final = Table(
    "voucher_batch",
    metadata,
    Column("batch_id", Integer, primary_key=True),
    Column("venue", String(VENUE_LIMIT), nullable=False),
    Column("budget_id", String(32), ForeignKey("free_budget.budget_id")),
    # The offer that its vouchers are good for; NULL: any free offer.
    Column("offer_id", String(32)),
    Column("first_serial", Integer, nullable=False, unique=True),
    Column("vouchers", Integer, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    CheckConstraint("first_serial >= 0 AND vouchers > 0", name="serials"),
)

voucher: Final = Table(
    "voucher",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("batch_id", ForeignKey(voucher_batch.c.batch_id), nullable=False, index=True),
    Column("user_id", ForeignKey(user_account.c.user_id), nullable=False, index=True),
    Column("redeemed_at", UtcDateTime, nullable=False, index=True),
    Column("session_id", UuidText),
)
"""Redeemed vouchers. The serial number is the primary key, so a voucher cannot be redeemed twice."""

voucher_use: Final = Table(
    "voucher_use",
    metadata,
    Column("session_id", UuidText, primary_key=True),
    Column("serial", ForeignKey(voucher.c.serial), nullable=False),
    Column("batch_id", ForeignKey(voucher_batch.c.batch_id), nullable=False, index=True),
)
"""The voucher of each InternetSession that was ordered with one; it stays when the voucher is used again."""

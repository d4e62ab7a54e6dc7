"""Batches of vouchers, and what a redeemed one gives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

BATCH_LIMIT: Final = 10_000
VENUE_LIMIT: Final = 60


@dataclass(frozen=True, slots=True)
class Batch:
    """Vouchers made together for one venue: so many serial numbers from the first on.

    ``budget_id`` is the venue's budget that pays for them; None: whoever pays for free data anyway.
    """

    batch_id: int
    venue: str
    budget_id: str | None
    first_serial: int
    count: int
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @property
    def serials(self) -> range:
        """Its serial numbers."""
        return range(self.first_serial, self.first_serial + self.count)


@dataclass(frozen=True, slots=True)
class BatchStanding:
    """A batch, and how many of it are redeemed."""

    batch: Batch
    redeemed: int


@dataclass(frozen=True, slots=True)
class Voucher:
    """A redeemed voucher: its owner may have one free session until it expires.

    ``session_id`` is the session that it was last used for. One that ended with nothing used gives it back.
    """

    serial: int
    venue: str
    budget_id: str | None
    redeemed_at: datetime
    expires_at: datetime
    session_id: str | None

"""Batches of vouchers, and redeemed vouchers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

BATCH_LIMIT: Final = 10_000
VENUE_LIMIT: Final = 60


@dataclass(frozen=True, slots=True)
class Batch:
    """Vouchers of one venue that were made together: ``count`` serial numbers from ``first_serial``.

    ``budget_id`` is the venue's budget that pays for them; None: the same budgets that pay for other free data.
    ``offer_id`` is the offer that they are good for; None: any free offer.
    """

    batch_id: int
    venue: str
    budget_id: str | None
    first_serial: int
    count: int
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    offer_id: str | None = None

    @property
    def serials(self) -> range:
        """The serial numbers of the batch."""
        return range(self.first_serial, self.first_serial + self.count)


@dataclass(frozen=True, slots=True)
class BatchStanding:
    """A batch, and the number of its redeemed vouchers."""

    batch: Batch
    redeemed: int


@dataclass(frozen=True, slots=True)
class Voucher:
    """A redeemed voucher: its owner may have one free InternetSession until it expires.

    ``offer_id`` is the offer that it is good for; None: any free one.
    ``session_id`` is the InternetSession for which it was last used. If that ended unused, the voucher can be used
    again.
    """

    serial: int
    venue: str
    budget_id: str | None
    redeemed_at: datetime
    expires_at: datetime
    session_id: str | None
    offer_id: str | None = None

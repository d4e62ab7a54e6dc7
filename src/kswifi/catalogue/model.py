"""Offers and their rules."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kswifi.kernel.clock import require_aware
from kswifi.kernel.quantities import Kobo, Octets

LAGOS: Final = ZoneInfo("Africa/Lagos")


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer of the catalogue. ``allowance_octets`` is None for an uncapped InternetSession."""

    id: str
    title: str
    allowance_octets: Octets | None
    price_kobo: Kobo
    valid_days: int

    @property
    def free(self) -> bool:
        """Whether its price is zero."""
        return self.price_kobo == 0


def valid_until(downloaded_at: datetime, offer: Offer, zone: ZoneInfo = LAGOS) -> datetime:
    """Return the first instant at which an InternetSession downloaded then is no longer valid, in UTC.

    The session is valid from its download to the end of the local day ``valid_days`` later. So the instant is the
    midnight after that day, and the day that users see as the last counts in full.
    """
    downloaded_on = require_aware(downloaded_at).astimezone(zone).date()
    day_after = downloaded_on + timedelta(days=offer.valid_days + 1)
    return require_aware(datetime.combine(day_after, time.min, tzinfo=zone))

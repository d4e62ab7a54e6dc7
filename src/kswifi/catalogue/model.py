"""An offer and its rules."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kswifi.kernel.clock import require_aware
from kswifi.kernel.quantities import Kobo, Octets

LAGOS: Final = ZoneInfo("Africa/Lagos")


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be ordered. ``allowance_octets`` is None where the session is uncapped."""

    id: str
    title: str
    allowance_octets: Octets | None
    price_kobo: Kobo
    valid_days: int

    @property
    def free(self) -> bool:
        """Whether it costs its user nothing."""
        return self.price_kobo == 0


def valid_until(downloaded_at: datetime, offer: Offer, zone: ZoneInfo = LAGOS) -> datetime:
    """Return the first instant at which a session downloaded then is no longer valid, in UTC.

    Validity runs from the download and ends with the local day ``valid_days`` later, so the instant is the
    midnight with which the day after that one begins: people are shown the day, and have all of it.
    """
    downloaded_on = require_aware(downloaded_at).astimezone(zone).date()
    day_after = downloaded_on + timedelta(days=offer.valid_days + 1)
    return require_aware(datetime.combine(day_after, time.min, tzinfo=zone))

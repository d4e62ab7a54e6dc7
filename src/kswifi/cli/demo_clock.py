"""The clock of a demonstration, days ahead: where no real money and no real network hangs on it."""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kswifi.kernel.clock import Clock
    from kswifi.settings import Settings


def demo_clock(settings: "Settings", days_ahead: int) -> "Clock":
    """Return a clock that is so many days ahead.

    Raises:
        SystemExit: this server's clock is other people's too.
    """
    from kswifi.kernel.clock import AheadClock

    if settings.mode != "embedded" or settings.payment_gateway_name != "sandbox":
        raise SystemExit("kswifi: only an embedded server with the sandbox gateway lives days ahead")
    return AheadClock(timedelta(days=days_ahead))

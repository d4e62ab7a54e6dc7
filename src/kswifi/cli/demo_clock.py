"""The clock of a demonstration, which runs days ahead; never with real money or a real network."""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kswifi.kernel.clock import Clock
    from kswifi.settings import Settings


def demo_clock(settings: "Settings", days_ahead: int) -> "Clock":
    """Return a clock that runs ``days_ahead`` days ahead.

    Raises:
        SystemExit: this is no embedded server with the sandbox gateway.
    """
    from kswifi.kernel.clock import AheadClock

    if settings.mode != "embedded" or settings.payment_gateway_name != "sandbox":
        raise SystemExit("kswifi: only an embedded server with the sandbox gateway lives days ahead")
    return AheadClock(timedelta(days=days_ahead))

"""Errors of charging data records."""

from kswifi.kernel.errors import Refusal

UNKNOWN_CHARGING_RECORD = Refusal(
    "unknown_charging_record", "There is no record of this ChargingSession, or no longer."
)

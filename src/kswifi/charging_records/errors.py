"""What can go wrong with charging data records."""

from kswifi.kernel.errors import KswifiError


class UnknownChargingRecordError(KswifiError):
    """There is no record of this ChargingSession, or no longer."""

    code = "unknown_charging_record"

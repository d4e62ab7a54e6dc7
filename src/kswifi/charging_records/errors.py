"""Errors of charging data records."""

from kswifi.kernel.errors import KswifiError


class UnknownChargingRecordError(KswifiError):
    """There is no record of this ChargingSession, or it was pruned."""

    code = "unknown_charging_record"

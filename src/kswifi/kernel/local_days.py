"""Local days: the days of a time zone, which begin and end at instants that depend on the zone alone."""

from datetime import date, datetime, time, tzinfo

from kswifi.kernel.clock import require_aware


def local_day(instant: datetime, zone: tzinfo) -> date:
    """Return the local day of an instant."""
    return instant.astimezone(zone).date()


def day_start(day: date, zone: tzinfo) -> datetime:
    """Return the first instant of a local day, in UTC."""
    return require_aware(datetime.combine(day, time.min, tzinfo=zone))

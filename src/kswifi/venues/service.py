"""Add, list and remove venues with free WiFi."""

from sqlalchemy import Connection, delete, func, insert, select

from kswifi.venues.errors import UNKNOWN_VENUE, VENUE_INVALID
from kswifi.venues.model import AREA_LENGTH, HOURS_LENGTH, NAME_LENGTH, VENUES_LIMIT, Venue
from kswifi.venues.sql import wifi_venue

_v = wifi_venue.c


def add_venue(connection: Connection, name: str, area: str, hours: str) -> Venue:
    """Add a venue; white space is put in order.

    Raises:
        VENUE_INVALID: a text is empty, too long or not printable, or there are VENUES_LIMIT venues.
    """
    name, area, hours = (" ".join(text.split()) for text in (name, area, hours))
    for what, text, longest in (
        ("name", name, NAME_LENGTH),
        ("area", area, AREA_LENGTH),
        ("hours", hours, HOURS_LENGTH),
    ):
        if not (1 <= len(text) <= longest and text.isprintable()):
            raise VENUE_INVALID(f"a venue's {what} has 1 to {longest} characters")
    if (connection.scalar(select(func.count()).select_from(wifi_venue)) or 0) >= VENUES_LIMIT:
        raise VENUE_INVALID(
            f"there are {VENUES_LIMIT} venues: remove one first, because each phone stores them all"
        )
    added = connection.execute(
        insert(wifi_venue).values(name=name, area=area, hours=hours).returning(_v.venue_id)
    ).scalar_one()
    return Venue(int(added), name, area, hours)


def venues(connection: Connection) -> list[Venue]:
    """Return all venues, ordered by area and name."""
    rows = connection.execute(select(wifi_venue).order_by(_v.area, _v.name, _v.venue_id))
    return [Venue(row.venue_id, row.name, row.area, row.hours) for row in rows]


def remove_venue(connection: Connection, venue_id: int) -> None:
    """Remove a venue.

    Raises:
        UNKNOWN_VENUE: there is none of this number.
    """
    if connection.execute(delete(wifi_venue).where(_v.venue_id == venue_id)).rowcount == 0:
        raise UNKNOWN_VENUE(f"there is no venue {venue_id}", venue_id=venue_id)

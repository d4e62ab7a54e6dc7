"""The table of venues."""

from typing import Final

from sqlalchemy import Column, Integer, String, Table

from kswifi.database.engine import metadata
from kswifi.venues.model import AREA_LENGTH, HOURS_LENGTH, NAME_LENGTH

wifi_venue: Final = Table(
    "wifi_venue",
    metadata,
    Column("venue_id", Integer, primary_key=True),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("area", String(AREA_LENGTH), nullable=False),
    Column("hours", String(HOURS_LENGTH), nullable=False),
)

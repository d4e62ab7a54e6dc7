"""A venue with free WiFi."""

from dataclasses import dataclass
from typing import Final

NAME_LENGTH: Final = 60
AREA_LENGTH: Final = 60
HOURS_LENGTH: Final = 60
VENUES_LIMIT: Final = 300
"""How many venues there are at most: each phone stores the whole list."""


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue as people look for it: its name, the part of the town, and the hours, all in the operator's words."""

    venue_id: int
    name: str
    area: str
    hours: str

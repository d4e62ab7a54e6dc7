"""The list of venues with free WiFi."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kswifi.database.engine import Database
from kswifi.venues import service
from kswifi.venues.errors import UNKNOWN_VENUE, VENUE_INVALID
from kswifi.venues.service import add_venue, remove_venue, venues
from tests.support.databases import open_database
from tests.support.refusals import refused


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path) as opened:
        yield opened


async def test_venues_are_added_listed_by_area_and_removed(database: Database) -> None:
    put = await database.write(
        lambda connection: add_venue(connection, " Mama  Put ", "Yaba, Lagos", "daily 8 to 22")
    )
    await database.write(
        lambda connection: add_venue(connection, "Ọlá's Café", "Ikeja, Lagos", "Mon to Sat 9 to 18")
    )
    found = await database.read(venues)
    assert [(one.name, one.area) for one in found] == [("Ọlá's Café", "Ikeja, Lagos"), ("Mama Put", "Yaba, Lagos")]
    await database.write(lambda connection: remove_venue(connection, put.venue_id))
    assert [one.name for one in await database.read(venues)] == ["Ọlá's Café"]
    with refused(UNKNOWN_VENUE):
        await database.write(lambda connection: remove_venue(connection, put.venue_id))


@pytest.mark.parametrize(
    ("name", "area", "hours"),
    [(" ", "Yaba", "daily"), ("x" * 61, "Yaba", "daily"), ("x", "", "daily"), ("x", "y", "a\0b")],
)
async def test_a_venue_without_a_readable_text_is_refused(
    database: Database, name: str, area: str, hours: str
) -> None:
    with refused(VENUE_INVALID):
        await database.write(lambda connection: add_venue(connection, name, area, hours))
    assert await database.read(venues) == []


async def test_no_more_venues_are_taken_than_a_phone_keeps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "VENUES_LIMIT", 1)
    await database.write(lambda connection: add_venue(connection, "a", "b", "c"))
    with refused(VENUE_INVALID):
        await database.write(lambda connection: add_venue(connection, "d", "e", "f"))

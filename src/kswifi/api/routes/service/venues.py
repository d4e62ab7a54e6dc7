"""Venues with free WiFi."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from kswifi.api.edge.dependencies import ServicesDep
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.schemas import ResponseBody
from kswifi.kernel.pages import page_of
from kswifi.venues.service import venues

router = APIRouter(prefix="/api/v1/venues", tags=["catalogue"])


class VenueView(ResponseBody):
    """A venue with free WiFi, in the operator's words."""

    name: Annotated[str, Field(examples=["Mama Put"])]
    area: Annotated[str, Field(examples=["Yaba, Lagos"])]
    hours: Annotated[str, Field(examples=["daily 8 to 22"])]


class VenuesView(PageView):
    """The venues, ordered by area and name."""

    venues: list[VenueView]


@router.get("", summary="List the venues with free WiFi")
async def list_venues(services: ServicesDep, page: PageQuery) -> VenuesView:
    """List the venues with free WiFi. No sign-in is needed. Keep the list: it is needed when there is no data."""
    found = await services.database.read(venues)
    shown = page_of(enumerate(found), lambda it: (it[0],), page)
    return VenuesView(
        venues=[VenueView(name=one.name, area=one.area, hours=one.hours) for _, one in shown.items],
        next=shown.cursor,
    )

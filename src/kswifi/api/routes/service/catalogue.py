"""The catalogue of offers."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from kswifi.api.edge.dependencies import ServicesDep
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import ResponseBody
from kswifi.catalogue.model import Offer
from kswifi.kernel.pages import page_of

router = APIRouter(prefix="/api/v1/offers", tags=["catalogue"])


class OfferView(ResponseBody):
    """One offer."""

    id: Annotated[str, Field(examples=["free-1gb"])]
    title: Annotated[str, Field(examples=["1GB Session (Free) • 30 days"])]
    allowance_octets: Annotated[
        int | None, Field(description="1 GB is 10^9 octets; null is uncapped.", examples=[1_000_000_000])
    ]
    price_kobo: Annotated[int, Field(description="100 kobo are 1 naira.", examples=[0])]
    valid_days: Annotated[
        int, Field(description="Ends with the local day this long after the download.", examples=[30])
    ]


class OffersView(PageView):
    """All offers, in the operator's order."""

    offers: list[OfferView]


@router.get("", summary="List the offers")
async def list_offers(services: ServicesDep, page: PageQuery) -> OffersView:
    """List the offers. No sign-in is needed."""
    # The key of an offer is its place: the catalogue does not change while the server runs.
    shown = page_of(enumerate(services.catalogue.offers()), lambda it: (it[0],), page)
    return OffersView(offers=[_view(offer) for _, offer in shown.items], next=shown.cursor)


@router.get("/{offer_id}", summary="One offer", responses=problem_responses("unknown_offer"))
async def read_offer(offer_id: str, services: ServicesDep) -> OfferView:
    """Return one offer. No sign-in is needed."""
    return _view(services.catalogue.offer(offer_id))


def _view(offer: Offer) -> OfferView:
    return OfferView(
        id=offer.id,
        title=offer.title,
        allowance_octets=offer.allowance_octets,
        price_kobo=offer.price_kobo,
        valid_days=offer.valid_days,
    )

"""Free data: what a user may have now, which rule refuses an order, and what to do about it."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.devices import DeviceDep, set_device_cookie
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import RequestBody, ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.api.services import SessionServices
from kswifi.free_data import waiting
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.service import OfferStanding, Standing
from kswifi.kernel.pages import FIRST_PAGE, PageRequest, page_of

router = APIRouter(prefix="/api/v1/free-data", tags=["free data"])

FREE_DATA_REFUSALS: Final = (
    "free_data_stopped",
    "free_data_not_started",
    "account_held",
    "kyc_level_too_low",
    "free_offer_not_given",
    "phone_not_verified",
    "voucher_needed",
    "phone_or_voucher_needed",
    "free_allowance_used_up",
    "device_allowance_used_up",
    "card_allowance_used_up",
    "too_much_unspent",
    "free_data_cooling_down",
    "free_budget_gone",
)

WhatHelps = Literal[
    "wait",
    "use_some",
    "choose_another",
    "verify_phone",
    "redeem_voucher",
    "verify_phone_or_redeem_voucher",
    "identify",
    "ask_support",
    "join_waiting_list",
]


class RefusalView(ResponseBody):
    """Why an order would be refused now: the code, sentence and facts of its problem document."""

    code: Annotated[str, Field(examples=["free_allowance_used_up"])]
    words: str
    do: Annotated[WhatHelps, Field(description="What helps.")]
    facts: Annotated[
        dict[str, Any], Field(description="With `wait_until` (RFC 3339) where it is known when that helps.")
    ]


class FreeOfferView(ResponseBody):
    """A free offer, and whether you may order it now."""

    offer_id: Annotated[str, Field(examples=["free-1gb"])]
    refusal: Annotated[RefusalView | None, Field(description="null: you may.")]


class FreeDataView(PageView):
    """Your free allowance, what is left of it, and the free offers."""

    octets: Annotated[int, Field(description="Free in the rolling days.", examples=[5_000_000_000])]
    days: Annotated[int, Field(examples=[30])]
    left_octets: int
    unspent_room_octets: Annotated[int, Field(description="How much more you may hold unspent.")]
    required: Annotated[
        Literal["nothing", "phone", "voucher", "phone_or_voucher"], Field(description="What is asked of everybody.")
    ]
    tranche_octets: Annotated[
        int | None,
        Field(
            description="Free sessions are released in such parts, the next as the last is used, while there is "
            "money for it; null: all at once."
        ),
    ]
    kyc_level: int
    waiting: Annotated[bool, Field(description="Whether you are on the waiting list.")]
    offers: list[FreeOfferView]


class WaitBody(RequestBody):
    """The offer that you wait for."""

    offer_id: Annotated[str, Field(max_length=32, examples=["free-1gb"])]


@router.get("", summary="How you stand with free data", responses=problem_responses("not_signed_in"))
async def read_free_data(
    user: SignedInUser,
    services: ServicesDep,
    sessions: SessionServicesDep,
    device: DeviceDep,
    response: Response,
    page: PageQuery,
) -> FreeDataView:
    """Return what is left, and for each free offer whether you may order it now; if not, which rule refuses."""
    set_device_cookie(response, services, device)
    return await _view(services, sessions, user.user.user_id, device.device_id, page)


@router.post(
    "/waiting",
    response_model=FreeDataView,
    summary="Join the waiting list",
    responses=problem_responses("no_waiting_list", "unknown_offer", "not_signed_in"),
)
async def join_waiting_list(
    body: WaitBody, request: Idempotent, services: ServicesDep, sessions: SessionServicesDep, device: DeviceDep
) -> Response:
    """Request the event `free_data_again` for when there is money for your offer again. Idempotent."""
    user_id = request.user.user.user_id

    async def work() -> FreeDataView:
        await sessions.free_data.wait(user_id, services.catalogue.offer(body.offer_id))
        return await _view(services, sessions, user_id, device.device_id)

    return await request.answer(work)


@router.delete("/waiting", status_code=204, summary="Leave the waiting list")
async def leave_waiting_list(request: Idempotent, _sessions: SessionServicesDep) -> Response:
    """Leave the waiting list: cancel the request for the event `free_data_again`."""
    user_id = request.user.user.user_id
    return await request.answer_step(lambda connection: waiting.leave(connection, user_id), status=204)


async def _view(
    services: ServicesDep, sessions: SessionServices, user_id: str, device_id: str, page: PageRequest = FIRST_PAGE
) -> FreeDataView:
    free_data = sessions.free_data
    standing = await free_data.standing(user_id, services.catalogue.offers(), device_id)
    return _shown(standing, free_data.rules, page)


def _shown(standing: Standing, rules: FreeDataRules, page: PageRequest) -> FreeDataView:
    # The key of an offer is its place: the catalogue does not change while the server runs.
    shown = page_of(enumerate(standing.offers), lambda it: (it[0],), page)
    return FreeDataView(
        octets=standing.allowance_octets,
        days=standing.allowance_days,
        left_octets=standing.left_octets,
        unspent_room_octets=standing.unspent_room_octets,
        required=rules.required.value,
        tranche_octets=rules.tranche_octets,
        kyc_level=standing.kyc_level,
        waiting=standing.waits,
        offers=[_offer_view(one) for _, one in shown.items],
        next=shown.cursor,
    )


def _offer_view(offer: OfferStanding) -> FreeOfferView:
    refused = offer.refusal
    if refused is None:
        return FreeOfferView(offer_id=offer.offer_id, refusal=None)
    facts = dict(refused.facts)
    do = facts.pop("do")
    view = RefusalView.model_validate({"code": refused.code, "words": refused.message, "do": do, "facts": facts})
    return FreeOfferView(offer_id=offer.offer_id, refusal=view)

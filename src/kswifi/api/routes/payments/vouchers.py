"""Vouchers of WiFi venues: redeem a code, and order a free session with it."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from kswifi.api.edge.dependencies import ClientAddress
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.vouchers.model import Voucher

router = APIRouter(prefix="/api/v1/vouchers", tags=["free data"])


class RedeemBody(RequestBody):
    """The code that is printed on the voucher."""

    code: Annotated[
        str,
        Field(
            min_length=1,
            max_length=40,
            description="Any case and groups; O counts as 0, I and L as 1.",
            examples=["0003-7QK2-M9XT"],
        ),
    ]


class VoucherView(ResponseBody):
    """A voucher of yours: it pays for one free session. If that session ends unused, the voucher is valid again."""

    venue: Annotated[str, Field(examples=["Mama Put, Yaba"])]
    redeemed_at: Instant
    expires_at: Instant
    session_id: Annotated[str | None, Field(description="The session that it was last used for.")]
    offer_id: Annotated[str | None, Field(description="The offer that it is good for; null for any free one.")]


@router.post(
    "/redeem",
    response_model=VoucherView,
    summary="Redeem a voucher",
    responses=problem_responses(
        "unknown_voucher",
        "voucher_used",
        "voucher_expired",
        "voucher_revoked",
        "too_many_attempts",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def redeem_voucher(
    body: RedeemBody, request: Idempotent, sessions: SessionServicesDep, address: ClientAddress
) -> Response:
    """Redeem a venue's voucher for your account. It pays for your next free order. Idempotent."""

    async def work() -> VoucherView:
        return voucher_view(await sessions.vouchers.redeem(request.user.user.user_id, body.code, address))

    return await request.answer(work)


def voucher_view(voucher: Voucher) -> VoucherView:
    """Return the view of a voucher for its owner."""
    return VoucherView(
        venue=voucher.venue,
        redeemed_at=voucher.redeemed_at,
        expires_at=voucher.expires_at,
        session_id=voucher.session_id,
        offer_id=voucher.offer_id,
    )

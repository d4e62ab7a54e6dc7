"""Gifts: give octets of a session to another account, or share them with another line of one's own."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.devices import DeviceDep, set_device_cookie
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import WHOLE, Instant, RequestBody, ResponseBody
from kswifi.api.edge.session_dependencies import OnWifi, SessionServicesDep
from kswifi.api.routes.payments.free_data import FREE_DATA_REFUSALS
from kswifi.esim.lines.activation import qr_code_svg
from kswifi.people.gifts import Wish
from kswifi.people.model import OctetTransfer, TransferKind, TransferState
from kswifi.people.store import gifts_of

router = APIRouter(prefix="/api/v1/gifts", tags=["gifts"])

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

GiftCode = Annotated[
    str, Path(min_length=1, max_length=40, description="Any case and groups; O counts as 0, I and L as 1.")
]


class GiftBody(RequestBody):
    """What to give: octets of a stored session of yours."""

    session_id: Annotated[str, Field(pattern=_UUID)]
    octets: Annotated[Annotated[int, Field(ge=1, le=10**15), WHOLE], Field(examples=[500_000_000])]
    esim_id: Annotated[
        str | None,
        Field(
            pattern=_UUID,
            description="Another eSIM of yours: the octets are shared with it at once, without a code. "
            "Left out: a gift with a code for somebody else.",
        ),
    ] = None


class ClaimBody(RequestBody):
    """Where the octets shall go: one of your eSIMs; else your installed one, or a new one if you have none."""

    esim_id: Annotated[str | None, Field(pattern=_UUID)] = None


class GiftView(ResponseBody):
    """Octets that you gave or receive, and where they are."""

    transfer_id: str
    kind: TransferKind
    role: Annotated[
        Literal["giver", "receiver"], Field(description="Yours. Of a share or a move you are the giver.")
    ]
    state: Annotated[
        TransferState,
        Field(
            description="`offered`, then `sent`: it can be claimed; `claimed`: a session was ordered for it; "
            "`receiving`, `received`: it is on the receiver's card; `returning`, `returned`: back with the giver; "
            "`refused`: the octets were used before they could be sent."
        ),
    ]
    reason: Annotated[
        str | None,
        Field(description="Why it goes back: `withdrawn`, `not_claimed`, `not_stored`, `refused`."),
    ]
    octets: int
    code: Annotated[str | None, Field(description="For the giver: anybody who has it can claim the gift.")]
    link: Annotated[
        str | None,
        Field(description="For the giver: the app with the code. No server is sent the part after `#`."),
    ]
    qr_code_svg: Annotated[
        str | None, Field(description="For the giver, while it can be claimed: the link as an SVG document.")
    ]
    session_id: Annotated[str | None, Field(description="Your session that it leaves or reaches.")]
    valid_until: Annotated[
        Instant, Field(description="The octets are not valid later, for the giver or the receiver.")
    ]
    created_at: Instant
    expires_at: Annotated[Instant, Field(description="It goes back then if it is not claimed, or not stored.")]
    ended_at: Instant | None


class OfferedGiftView(ResponseBody):
    """A gift as anybody with its code sees it, before signing in too."""

    octets: int
    valid_until: Instant
    expires_at: Annotated[Instant, Field(description="Claim it before.")]
    claimable: Annotated[bool, Field(description="False: it is claimed, taken back or over, or not ready yet.")]


class GiftsView(PageView):
    """Your gifts, shares and moves, given and received, the newest first."""

    gifts: list[GiftView]


@router.post(
    "",
    status_code=201,
    response_model=GiftView,
    summary="Give octets away",
    responses=problem_responses(
        "unknown_session",
        "not_givable",
        "gift_too_large",
        "gift_too_late",
        "gifts_off",
        "giver_too_new",
        "account_held",
        "too_many_gifts",
        "unknown_esim",
        "esim_not_fresh",
        "card_full",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def offer_gift(
    body: GiftBody, request: Idempotent, all_services: ServicesDep, services: SessionServicesDep
) -> Response:
    """Give octets of a session to somebody by a code, or share them with another eSIM of yours.

    They leave your session at once, and come back if nobody claims them in time.
    """
    user_id, origin = request.user.user.user_id, all_services.environment.public_origin
    wish = Wish(body.session_id, body.octets, body.esim_id)

    def offer(connection: Connection) -> GiftView:
        return gift_view(services.gifts.offer(connection, user_id, wish), user_id, origin)

    return await request.answer_step(offer, status=201, location="/api/v1/gifts")


@router.get("", summary="List your gifts", responses=problem_responses("not_signed_in"))
async def list_gifts(user: SignedInUser, services: ServicesDep, page: PageQuery) -> GiftsView:
    """List the octets that you gave and received."""
    user_id, origin = user.user.user_id, services.environment.public_origin
    found = await services.database.read(lambda connection: gifts_of(connection, user_id, page))
    return GiftsView(gifts=[gift_view(one, user_id, origin) for one in found.items], next=found.cursor)


@router.get("/{code}", summary="Look at a gift", responses=problem_responses("unknown_gift"))
async def look_at_gift(code: GiftCode, services: ServicesDep, sessions: SessionServicesDep) -> OfferedGiftView:
    """Return what a gift holds, for somebody who got its code and may have no account yet."""
    gift = await services.database.read(lambda connection: sessions.gifts.gift(connection, code))
    return OfferedGiftView(
        octets=gift.octets,
        valid_until=gift.valid_until,
        expires_at=gift.expires_at,
        claimable=gift.state is TransferState.SENT and services.database.clock.now() < gift.expires_at,
    )


@router.delete(
    "/{code}",
    response_model=GiftView,
    summary="Take a gift back",
    responses=problem_responses("unknown_gift", "gift_taken", "not_signed_in", "csrf_token_wrong"),
)
async def withdraw_gift(
    code: GiftCode, request: Idempotent, all_services: ServicesDep, services: SessionServicesDep
) -> Response:
    """Take a gift back that nobody has claimed. Idempotent."""
    user_id, origin = request.user.user.user_id, all_services.environment.public_origin

    def withdraw(connection: Connection) -> GiftView:
        return gift_view(services.gifts.withdraw(connection, user_id, code), user_id, origin)

    return await request.answer_step(withdraw)


@router.post(
    "/{code}/claim",
    response_model=GiftView,
    summary="Claim a gift",
    dependencies=[OnWifi],
    responses=problem_responses(
        "unknown_gift",
        "gift_taken",
        "gift_gone",
        "gift_is_yours",
        "gift_not_ready",
        "gift_too_late",
        "received_enough",
        *FREE_DATA_REFUSALS,
        "unknown_esim",
        "esim_not_fresh",
        "card_full",
        "not_on_wifi",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def claim_gift(
    code: GiftCode,
    body: ClaimBody,
    request: Idempotent,
    all_services: ServicesDep,
    services: SessionServicesDep,
    device: DeviceDep,
) -> Response:
    """Claim a gift: a session is ordered for you. Download and store it like any other; then it can be used."""
    user_id, origin = request.user.user.user_id, all_services.environment.public_origin

    def claim(connection: Connection) -> GiftView:
        claimed = services.gifts.claim(connection, user_id, code, esim_id=body.esim_id, device_id=device.device_id)
        return gift_view(claimed, user_id, origin)

    with services.free_data.counting_refusals():
        response = await request.answer_step(claim)
    set_device_cookie(response, all_services, device)
    return response


def gift_view(transfer: OctetTransfer, user_id: str, origin: str) -> GiftView:
    """Return the view of a transfer for its giver or its receiver; only the giver sees the code."""
    gives = transfer.giver_id == user_id
    code = transfer.code if gives else None
    link = None if code is None else f"{origin}/#/gift/{code}"
    claimable = transfer.state in (TransferState.OFFERED, TransferState.SENT)
    return GiftView(
        transfer_id=transfer.transfer_id,
        kind=transfer.kind,
        role="giver" if gives else "receiver",
        state=transfer.state,
        reason=transfer.reason,
        octets=transfer.octets,
        code=code,
        link=link,
        qr_code_svg=None if link is None or not claimable else qr_code_svg(link),
        session_id=transfer.from_session_id if gives else transfer.to_session_id,
        valid_until=transfer.valid_until,
        created_at=transfer.created_at,
        expires_at=transfer.expires_at,
        ended_at=transfer.ended_at,
    )

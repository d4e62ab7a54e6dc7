"""The records on a card: contents, order of use, and the secured packets that write them."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kswifi.api.edge.dependencies import SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.session_dependencies import OnWifi, SessionServicesDep
from kswifi.api.routes.sessions.session_views import (
    ArrangeBody,
    CardContentsView,
    NextPacketView,
    PacketAnswerBody,
    ProofView,
    card_contents_view,
    packet_view,
)

router = APIRouter(prefix="/api/v1/esims/{esim_id}", tags=["esims"])
EsimId = Annotated[str, Path(max_length=64, description="The eSIM's UUID.")]


@router.get(
    "/sessions", summary="The sessions on an eSIM", responses=problem_responses("unknown_esim", "not_signed_in")
)
async def read_contents(
    esim_id: EsimId, user: SignedInUser, services: SessionServicesDep, page: PageQuery
) -> CardContentsView:
    """Return which record of the card holds which session, the order of use, and which records need a packet."""
    return card_contents_view(await services.card_records.contents(user.user.user_id, esim_id), page)


@router.post(
    "/sessions",
    response_model=CardContentsView,
    summary="Order the sessions on an eSIM",
    responses=problem_responses("unknown_esim", "sessions_not_on_esim"),
)
async def arrange(
    esim_id: EsimId, body: ArrangeBody, request: Idempotent, services: SessionServicesDep
) -> Response:
    """Choose the order of use, and whether the next session follows a finished one automatically."""
    user_id = request.user.user.user_id

    async def work() -> CardContentsView:
        order = None if body.order is None else tuple(body.order)
        contents = await services.card_records.arrange(user_id, esim_id, order, body.continue_with_next)
        return card_contents_view(contents)

    return await request.answer(work)


@router.post(
    "/packets",
    response_model=NextPacketView,
    summary="The next packet for the card",
    dependencies=[OnWifi],
    responses=problem_responses("unknown_esim", "profile_not_installed", "not_on_wifi"),
)
async def next_packet(esim_id: EsimId, request: Idempotent, services: SessionServicesDep) -> Response:
    """Fetch a secured packet. Send each of its commands to the card while this profile is enabled.

    The radio may be off. A repeated request returns the packet with the next counter; the earlier packet becomes
    invalid.
    """
    user_id = request.user.user.user_id

    async def work() -> NextPacketView:
        packet = await services.card_records.next_packet(user_id, esim_id)
        return NextPacketView(packet=None if packet is None else packet_view(packet))

    return await request.answer(work)


@router.post(
    "/packets/{packet_id}",
    response_model=ProofView,
    summary="Bring the card's answer",
    responses=problem_responses("unknown_esim", "packet_superseded"),
)
async def take_answer(
    esim_id: EsimId,
    packet_id: Annotated[str, Path(max_length=32)],
    body: PacketAnswerBody,
    request: Idempotent,
    services: SessionServicesDep,
) -> Response:
    """Submit the card's answer. Only a valid proof of receipt that matches the packet makes a session `stored`."""
    user_id = request.user.user.user_id

    async def work() -> ProofView:
        answer = bytes.fromhex(body.answer)
        proof = await services.card_records.take_answer(user_id, esim_id, packet_id, answer)
        return ProofView(result=proof.result, status=proof.status)

    return await request.answer(work)

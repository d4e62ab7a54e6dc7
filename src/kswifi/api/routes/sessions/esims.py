"""A user's eSIMs, and the public keys of session packages."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.pages import PageQuery
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.api.routes.sessions.session_views import EsimsView, EsimView, esim_view
from kswifi.esim.lines.service import esims_page, find_esim

router = APIRouter(tags=["esims"])

EsimId = Annotated[str, Path(max_length=64, description="The eSIM's UUID.")]


@router.get("/api/v1/esims", summary="List your eSIMs", responses=problem_responses("not_signed_in"))
async def list_esims(user: SignedInUser, services: ServicesDep, page: PageQuery) -> EsimsView:
    """List your eSIMs."""
    found = await services.database.read(lambda connection: esims_page(connection, user.user.user_id, page))
    return EsimsView(esims=[esim_view(one) for one in found.items], next=found.cursor)


@router.get(
    "/api/v1/esims/{esim_id}",
    summary="One eSIM",
    responses=problem_responses("unknown_esim", "not_signed_in"),
)
async def read_esim(esim_id: EsimId, user: SignedInUser, services: ServicesDep) -> EsimView:
    """Return one eSIM: its profile's state, and the line's state as confirmed by the network."""
    return await services.database.read(
        lambda connection: esim_view(find_esim(connection, esim_id, user.user.user_id))
    )


@router.get("/.well-known/jwks.json", summary="The keys that sign packages and records")
async def read_keys(services: SessionServicesDep) -> dict[str, Any]:
    """Return the JWK Set (RFC 7517) with which anyone can verify a session package."""
    return dict(services.signing_key.jwks())

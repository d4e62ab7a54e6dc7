"""ESims, their profile packages, and the keys that sign what they hold."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response

from kswifi.api.dependencies import ServicesDep, SignedInUser
from kswifi.api.problems import problem_responses
from kswifi.api.session_dependencies import OnWifi, SessionServicesDep
from kswifi.api.session_views import EsimsView, EsimView, esim_view
from kswifi.esim.errors import ProfileNotAvailableError
from kswifi.esim.service import esims_of, find_esim

router = APIRouter(tags=["esims"])

PROFILE_TYPE: Final = "application/vnd.kswifi.profile-package"

EsimId = Annotated[str, Path(max_length=64, description="The eSIM's UUID.")]


@router.get("/api/v1/esims", summary="List your eSIMs", responses=problem_responses("not_signed_in"))
async def list_esims(user: SignedInUser, services: ServicesDep) -> EsimsView:
    """Tell all your eSIMs."""
    async with services.database.reading() as connection:
        found = await esims_of(connection, user.user.user_id)
    return EsimsView(esims=[esim_view(one) for one in found])


@router.get(
    "/api/v1/esims/{esim_id}",
    summary="One eSIM",
    responses=problem_responses("unknown_esim", "not_signed_in"),
)
async def read_esim(esim_id: EsimId, user: SignedInUser, services: ServicesDep) -> EsimView:
    """Tell one eSIM: its profile's state, and what the network has confirmed of its line."""
    async with services.database.reading() as connection:
        return esim_view(await find_esim(connection, esim_id, user.user.user_id))


@router.get(
    "/api/v1/esims/{esim_id}/profile-package",
    summary="Fetch the profile for direct loading",
    response_class=Response,
    dependencies=[OnWifi],
    responses={
        200: {"description": "The interoperable profile package (DER)", "content": {PROFILE_TYPE: {}}},
        **problem_responses("unknown_esim", "profile_not_ready", "profile_not_available", "not_on_wifi"),
    },
)
async def fetch_profile_package(esim_id: EsimId, user: SignedInUser, services: SessionServicesDep) -> Response:
    """Fetch the profile of an eSIM whose transfer was asked for, to load it into the software eUICC.

    It holds the subscriber's keys: only its owner gets it, only until the card has proved that it holds it, and
    only in the embedded way.
    """
    if services.profiles is None:
        raise ProfileNotAvailableError("profiles are not loaded directly here")
    package = await services.profiles.profile_package(esim_id, user.user.user_id)
    return Response(package, media_type=PROFILE_TYPE, headers={"Cache-Control": "no-store"})


@router.get("/.well-known/jwks.json", summary="The keys that sign packages and records")
async def read_keys(services: SessionServicesDep) -> dict[str, Any]:
    """Return the JWK Set (RFC 7517) with which anyone can verify a session package."""
    return dict(services.signing_key.jwks())

"""How the request itself came."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from kswifi.api.edge.dependencies import SignedInUser
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.kernel.listening import plain_address

router = APIRouter(prefix="/api/v1/connection", tags=["sessions"])


class ConnectionView(ResponseBody):
    """How your device reaches this server."""

    wifi: Annotated[
        bool | None,
        Field(
            description="Whether the request came over WiFi as downloads require it. null: it cannot be known here."
        ),
    ]


@router.get("", summary="How you are connected", responses=problem_responses("not_signed_in"))
async def read_connection(_user: SignedInUser, request: Request, services: SessionServicesDep) -> ConnectionView:
    """Return whether this request came over WiFi. Browsers on many phones do not know it."""
    client = request.client
    if client is None:
        return ConnectionView(wifi=None)
    return ConnectionView(wifi=await services.network_access.is_wifi(plain_address(client.host), client.port))

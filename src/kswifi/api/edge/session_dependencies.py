"""FastAPI dependencies of session routes."""

from typing import Annotated

from fastapi import Depends, Request

from kswifi.api.edge.dependencies import ServicesDep
from kswifi.api.edge.errors import NOT_READY
from kswifi.api.services import SessionServices
from kswifi.kernel.listening import plain_address
from kswifi.sessions.errors import NOT_ON_WIFI


async def get_session_services(services: ServicesDep) -> SessionServices:
    """Return the services of sessions.

    Raises:
        NOT_READY: this server has none.
    """
    if services.sessions is None:
        raise NOT_READY("this server has no internet sessions")
    return services.sessions


SessionServicesDep = Annotated[SessionServices, Depends(get_session_services)]


async def require_wifi(request: Request, services: SessionServicesDep) -> None:
    """Refuse a download that came over an internet session: it must not use the data that it delivers.

    Raises:
        NOT_ON_WIFI: it did.
    """
    client = request.client
    if client is not None and await services.network_access.is_over_session(
        plain_address(client.host), client.port
    ):
        raise NOT_ON_WIFI("you are on your internet session, not on WiFi: find WiFi and try again")


OnWifi = Depends(require_wifi)

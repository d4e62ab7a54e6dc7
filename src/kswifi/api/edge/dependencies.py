"""FastAPI dependencies of routes: the services, the signed-in user, and the CSRF check."""

import hmac
from typing import Annotated, Final

from fastapi import Depends, Header, Request, Response
from structlog.contextvars import bind_contextvars

from kswifi.accounts.errors import NotSignedInError
from kswifi.accounts.model import Login, SignedIn
from kswifi.api.edge.errors import CSRF_TOKEN_WRONG
from kswifi.api.edge.request_ids import USER_ID
from kswifi.api.services import Services
from kswifi.kernel.network_addresses import customer_key, parse_address

CSRF_HEADER: Final = "X-CSRF-Token"


async def get_services(request: Request) -> Services:
    """Return the services that the bootstrap passed to ``create_app``."""
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101 - set by create_app
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def client_address(request: Request) -> str:
    """Return the address for rate limits: an IPv4 address, or the /64 network of an IPv6 address.

    Behind a trusted proxy it is the client's address (``kswifi.api.edge.client_address``).
    """
    address = parse_address(request.client.host) if request.client else None
    return "unknown" if address is None else customer_key(address)


ClientAddress = Annotated[str, Depends(client_address)]


def cookie_name(services: Services) -> str:
    """Return the login cookie's name; the prefix __Host- binds it to this host (RFC 6265bis, 4.1.3.2)."""
    return "__Host-kswifi_login" if services.environment.https else "kswifi_login"


async def login_token(request: Request, services: ServicesDep) -> str:
    """Return the login token from the request's cookie.

    Raises:
        NotSignedInError: the request has no login cookie.
    """
    token = request.cookies.get(cookie_name(services))
    if not token:
        raise NotSignedInError("sign in first")
    return token


LoginToken = Annotated[str, Depends(login_token)]


async def signed_in(token: LoginToken, services: ServicesDep) -> SignedIn:
    """Return the signed-in user, for requests that change nothing; later log lines of the request name the user."""
    user = await services.accounts.who(token)
    bind_contextvars(**{USER_ID: user.user.user_id})
    return user


SignedInUser = Annotated[SignedIn, Depends(signed_in)]


async def signed_in_writer(
    user: SignedInUser,
    services: ServicesDep,
    x_csrf_token: Annotated[
        str, Header(description="`csrf_token` of signing in or of `GET /api/v1/account`.")
    ] = "",
) -> SignedIn:
    """Return the signed-in user of a request that changes something; it must carry the LoginSession's CSRF token.

    Raises:
        CSRF_TOKEN_WRONG: it is missing or that of another login session.
        TooManyAttemptsError: the account has changed more in the last minute than the operator allows.
    """
    if not hmac.compare_digest(x_csrf_token.encode(), user.csrf_token.encode()):
        raise CSRF_TOKEN_WRONG(f"send the {CSRF_HEADER} of your sign-in")
    services.writes.attempt(user.user.user_id, services.database.clock.now())
    return user


SignedInWriter = Annotated[SignedIn, Depends(signed_in_writer)]


def set_login_cookie(response: Response, services: Services, login: Login) -> None:
    """Set the login cookie with the LoginSession's token; scripts cannot read it (HttpOnly)."""
    lifetime = login.expires_at - services.database.clock.now()
    response.set_cookie(
        cookie_name(services),
        login.token,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=services.environment.https,
        httponly=True,
        samesite="lax",
    )


def clear_login_cookie(response: Response, services: Services) -> None:
    """Delete the login cookie."""
    response.delete_cookie(
        cookie_name(services), path="/", secure=services.environment.https, httponly=True, samesite="lax"
    )

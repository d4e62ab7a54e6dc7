"""The browser or app that signs in: the name shown in the owner's list of devices, and its device cookie."""

from typing import Annotated, Final

import structlog
from fastapi import Depends, Request, Response

from kswifi.accounts.device_cookies import LIFETIME
from kswifi.accounts.model import Client, Login
from kswifi.api.edge.dependencies import ClientAddress, ServicesDep, set_login_cookie
from kswifi.api.services import Services
from kswifi.kernel.network_addresses import network_label

_log = structlog.get_logger(__name__)

# A User-Agent also names older browsers for compatibility, so the first token found decides.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("OPiOS/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("UCBrowser/", "UC Browser"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("KAIOS", "KaiOS"),
    ("Linux", "Linux"),
)


def browser_family(user_agent: str) -> str | None:
    """Return the browser and system in a User-Agent without versions, like "Chrome on Android"; None if unknown."""
    browser = next((name for token, name in _BROWSERS if token in user_agent), None)
    system = next((name for token, name in _SYSTEMS if token in user_agent), None)
    return " on ".join(one for one in (browser, system) if one is not None) or None


def device_cookie_name(services: Services) -> str:
    """Return the device cookie's name; the prefix __Host- binds it to this host (RFC 6265bis, 4.1.3.2)."""
    return "__Host-kswifi_login_device" if services.environment.https else "kswifi_login_device"


async def login_client(request: Request, services: ServicesDep, address: ClientAddress) -> Client:
    """Return the browser or app of the request."""
    return Client(
        browser=browser_family(request.headers.get("user-agent", "")),
        network=network_label(address),
        device_cookie=request.cookies.get(device_cookie_name(services), ""),
    )


LoginClient = Annotated[Client, Depends(login_client)]


def set_login_cookies(response: Response, services: Services, login: Login) -> None:
    """Set the login cookie and the device cookie of a user who has signed in, and log the sign-in."""
    _log.info("signed_in", user_id=login.user.user_id)
    set_login_cookie(response, services, login)
    set_login_device_cookie(response, services, login.device_cookie)


def set_login_device_cookie(response: Response, services: Services, cookie: str) -> None:
    """Set the device cookie, which marks a browser that has signed in before.

    It remains after sign-out and does not sign anyone in.
    """
    response.set_cookie(
        device_cookie_name(services),
        cookie,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=services.environment.https,
        httponly=True,
        samesite="lax",
    )


def clear_login_device_cookie(response: Response, services: Services) -> None:
    """Delete the device cookie when its account is deleted."""
    response.delete_cookie(
        device_cookie_name(services), path="/", secure=services.environment.https, httponly=True, samesite="lax"
    )

"""The device identity for the rules of free data: a random number in a cookie.

A user who deletes the cookie or opens another browser counts as a new device. The rule therefore limits habit, not
deliberate abuse.
"""

import os
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.api.services import Services
from kswifi.free_data.holds import note_device

DEVICE_COOKIE: Final = "kswifi_device"
DEVICE_COOKIE_SECONDS: Final = 400 * 86_400
"""The longest lifetime that browsers allow for a cookie (RFC 6265bis, 5.5)."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device; ``cookie`` holds its identity, ``known`` is True if the request carried it."""

    device_id: str
    cookie: str
    known: bool


async def device_of(request: Request, sessions: SessionServicesDep) -> Device:
    """Return the device in the request's cookie; a new device if there is no valid cookie."""
    marks = sessions.free_data.marks
    given = request.cookies.get(DEVICE_COOKIE, "")
    device_id = marks.device_of(given)
    if device_id is not None:
        return Device(device_id, given, known=True)
    cookie = marks.new_device(os.urandom)
    return Device(cookie.partition(".")[0], cookie, known=False)


DeviceDep = Annotated[Device, Depends(device_of)]


async def note_sign_up(request: Request, response: Response, services: Services, user_id: str) -> None:
    """Store at which device an account was made, if a rule of free data uses devices."""
    sessions = services.sessions
    if sessions is None or sessions.free_data.rules.device_allowance_octets is None:
        return
    device = await device_of(request, sessions)
    mark = sessions.free_data.marks.device(device.device_id)
    await services.database.write(lambda connection: note_device(connection, user_id, mark))
    set_device_cookie(response, services, device)


def set_device_cookie(response: Response, services: Services, device: Device) -> None:
    """Set the device cookie for a new device, if a rule of free data uses devices.

    Without such a rule, only the login's device cookie (``login_client``) remains after sign-out.
    """
    sessions = services.sessions
    asked = sessions is not None and sessions.free_data.rules.device_allowance_octets is not None
    if asked and not device.known:
        response.set_cookie(
            DEVICE_COOKIE,
            device.cookie,
            max_age=DEVICE_COOKIE_SECONDS,
            path="/api/",
            secure=services.environment.https,
            httponly=True,
            samesite="lax",
        )

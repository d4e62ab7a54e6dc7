"""The device that asks, as far as a web page has an honest name for one: a random number of ours in a cookie.

Who clears the cookie, or opens another browser, is another device: an aid against habit, not against malice.
"""

import os
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.api.services import Services

DEVICE_COOKIE: Final = "kswifi_device"
DEVICE_COOKIE_SECONDS: Final = 400 * 86_400
"""The longest that browsers keep a cookie (RFC 6265bis, 5.5)."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device; ``cookie`` is what names it, ``known`` whether it brought that along."""

    device_id: str
    cookie: str
    known: bool


async def device_of(request: Request, sessions: SessionServicesDep) -> Device:
    """Return the device that the request's cookie names; a new one where it names none of ours."""
    marks = sessions.free_data.marks
    given = request.cookies.get(DEVICE_COOKIE, "")
    device_id = marks.device_of(given)
    if device_id is not None:
        return Device(device_id, given, known=True)
    cookie = marks.new_device(os.urandom)
    return Device(cookie.partition(".")[0], cookie, known=False)


DeviceDep = Annotated[Device, Depends(device_of)]


def set_device_cookie(response: Response, services: Services, device: Device) -> None:
    """Let a device that is new here be known again, where a rule of free data asks which it is.

    Without such a rule nothing is left on the device that would outlive signing out.
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

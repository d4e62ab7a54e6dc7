"""The embedded way's answer to "did this request come over an internet session?": the access gateway knows.

The lab's control is asked whether the gateway owns the socket that the request came from. Loopback addresses all
look alike; sockets do not.
"""

from typing import Final

import httpx2

from kswifi.sessions.errors import WIFI_UNKNOWN

ASK_SECONDS: Final = 2.0


class LabNetworkAccess:
    """Asks the lab's control at ``origin`` (scheme://host:port). Close it with the server."""

    def __init__(self, origin: str) -> None:
        self._client = httpx2.AsyncClient(base_url=origin, timeout=ASK_SECONDS, trust_env=False)

    async def is_over_session(self, host: str, port: int) -> bool:
        """Tell whether the gateway owns the socket host:port.

        A lab whose process does not run has no gateway, and so no session to come over.

        Raises:
            WIFI_UNKNOWN: the lab runs, and did not say.
        """
        try:
            answer = await self._client.get("/v1/sockets", params={"host": host, "port": port})
            owned = answer.json()["owned"] if answer.status_code == httpx2.codes.OK else None
        except httpx2.ConnectError:
            return False
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            raise WIFI_UNKNOWN("the access gateway does not say whether this is WiFi: try again") from error
        if not isinstance(owned, bool):
            raise WIFI_UNKNOWN("the access gateway does not say whether this is WiFi: try again")
        return owned

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

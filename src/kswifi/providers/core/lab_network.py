"""The check, in embedded mode, whether a request came over an InternetSession: the lab's access gateway answers.

The lab's control API is asked whether the gateway owns the socket of the request. All loopback addresses are equal,
so the address alone does not show it.
"""

from typing import Final

import httpx2

from kswifi.kernel.errors import KswifiError
from kswifi.providers.public_tls import public_tls
from kswifi.sessions.errors import WIFI_UNKNOWN

ASK_SECONDS: Final = 2.0


class LabNetworkAccess:
    """Asks the lab's control API at ``origin`` (scheme://host:port). Close it with the server."""

    def __init__(self, origin: str) -> None:
        self._client = httpx2.AsyncClient(
            base_url=origin, timeout=ASK_SECONDS, trust_env=False, verify=public_tls(trust_env=False)
        )

    async def is_over_session(self, host: str, port: int) -> bool:
        """Return whether the gateway owns the socket host:port.

        False if the lab's process does not run, because there is no gateway then.

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

    async def is_wifi(self, host: str, port: int) -> bool | None:
        """Return whether the socket is not the gateway's; None while the lab does not say."""
        try:
            return not await self.is_over_session(host, port)
        except KswifiError:
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

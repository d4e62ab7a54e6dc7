"""What sessions need from outside: where a request came from."""

from typing import Protocol


class NetworkAccess(Protocol):
    """Tells whether a request came over an internet session and not over WiFi."""

    async def is_over_session(self, host: str, port: int) -> bool:
        """Tell it for the client address and port of the request."""
        ...

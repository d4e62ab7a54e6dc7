"""What sessions need from outside: where a request came from, and octets that come from other sessions."""

from typing import Protocol

from kswifi.outbox.results import JobResult
from kswifi.sessions.model import InternetSession


class NetworkAccess(Protocol):
    """Tells whether a request came over an internet session and not over WiFi."""

    async def is_over_session(self, host: str, port: int) -> bool:
        """Return whether the request from this client address and port came over an internet session.

        Where it cannot be known for certain, the answer protects the session's data: see the adapters.
        """
        ...

    async def is_wifi(self, host: str, port: int) -> bool | None:
        """Return whether the request came over WiFi; None where it cannot be known."""
        ...


class IncomingOctets(Protocol):
    """Brings the octets of another session into the account of a session that was ordered for them."""

    async def receive(self, session: InternetSession) -> JobResult:
        """Book the octets; Done once they are in the account, Refused if they will never come."""
        ...

"""What sessions need from outside: where a request came from, and octets that come from other sessions."""

from typing import Protocol

from kswifi.outbox.results import JobResult
from kswifi.sessions.model import InternetSession


class NetworkAccess(Protocol):
    """Tells whether a request came over an internet session and not over WiFi."""

    async def is_over_session(self, host: str, port: int) -> bool:
        """Tell it for the client address and port of the request."""
        ...


class IncomingOctets(Protocol):
    """Brings the octets of another session into the account of a session that was ordered for them."""

    async def receive(self, session: InternetSession) -> JobResult:
        """Book the octets; Done once they are in the account, Refused if they will never come."""
        ...

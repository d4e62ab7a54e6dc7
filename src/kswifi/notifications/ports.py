"""The port of a push transport."""

from typing import Final, Protocol

from kswifi.notifications.model import Subscription
from kswifi.outbox.results import JobResult

GONE: Final = "gone"
NOT_IDENTIFIED: Final = "not_identified"


class PushTransport(Protocol):
    """Sends messages to the push services of devices.

    ``Refused`` with reason ``GONE`` means that the subscription no longer exists; with ``NOT_IDENTIFIED``, that the
    push service does not accept this server's key or token (RFC 8292, 2). A message replaces an undelivered
    one with the same ``topic`` (RFC 8030, 5.4), so sending a message again is harmless.
    """

    @property
    def public_key(self) -> str:
        """The public key with which browsers subscribe (RFC 8292, 3.2), base64url."""
        ...

    def check_endpoint(self, endpoint: str) -> None:
        """Refuse an endpoint to which messages must not be sent.

        Raises:
            PushEndpointRefusedError: it is not HTTPS, or its address is not public.
        """
        ...

    async def send(self, to: Subscription, message: bytes, topic: str) -> JobResult:
        """Send an encrypted message."""
        ...

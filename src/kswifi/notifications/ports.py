"""What carries a message to a device."""

from typing import Protocol

from kswifi.notifications.model import Subscription
from kswifi.outbox.results import JobResult


class PushTransport(Protocol):
    """A way to a device's push service.

    ``Refused`` with reason ``gone`` means that the subscription is no more. The same ``topic`` replaces what was
    not delivered yet (RFC 8030, 5.4), so sending again what may have been sent does no harm.
    """

    @property
    def public_key(self) -> str:
        """The key that browsers subscribe with (RFC 8292, 3.2), base64url."""
        ...

    def check_endpoint(self, endpoint: str) -> None:
        """Refuse an address to which nothing may be sent.

        Raises:
            PushEndpointRefusedError: not HTTPS, or an address that is not public.
        """
        ...

    async def send(self, to: Subscription, message: bytes, topic: str) -> JobResult:
        """Send an encrypted message."""
        ...

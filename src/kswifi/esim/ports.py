"""The port for delivering profiles to cards, and the kinds of proof that a card stores a session record."""

from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection

from kswifi.catalogue.model import Offer
from kswifi.esim.model import ESim
from kswifi.outbox.results import JobResult


class StorageProof(StrEnum):
    """The kind of evidence that the card stores the record, recorded as it was received."""

    POR = "por"
    """The proof of receipt of a secured packet (TS 102.225)."""
    INSTALL_RESULT = "install_result"
    """The profile installation result, signed by the eUICC (SGP.22)."""
    PROVIDER_STATUS = "provider_status"
    """A status reported by an eSIM provider, without the card's signature."""
    FIRST_USE = "first_use"
    """A data provider counted the first octets of the session's bundle: the phone has the profile."""
    PURCHASE = "purchase"
    """A data provider confirmed that it loaded the line that the person has."""


class LineOrders(Protocol):
    """Where the lines of new sessions come from."""

    def are_delivered_as(self, line: ESim) -> bool:
        """Tell whether new lines would be delivered in the same way as this one."""
        ...

    def takes_more(self, line: ESim) -> bool:
        """Tell whether an installed line takes another session."""
        ...

    def has_numbers(self, connection: Connection) -> bool:
        """Tell whether ``allocate`` could provide a line now."""
        ...

    def allocate(self, connection: Connection, user_id: str) -> ESim:
        """Provide a line for a user."""
        ...

    def require_bundle(self, connection: Connection, offer: Offer) -> int | None:
        """Refuse an offer that cannot be delivered now; return the most octets of one session, if limited."""
        ...


class ProfileDelivery(Protocol):
    """A way to deliver an ordered profile to its card."""

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        """Prepare a line's profile with this session record for download. Idempotent."""
        ...

"""How a profile reaches a card: the port, and the kinds of proof that its roads bring back."""

from enum import StrEnum
from typing import Protocol

from kswifi.outbox.results import JobResult


class StorageProof(StrEnum):
    """What stands behind "the card holds it", recorded as what it really was."""

    POR = "por"
    """The proof of receipt of a secured packet (TS 102.225)."""
    INSTALL_RESULT = "install_result"
    """The profile installation result, signed by the eUICC (SGP.22)."""
    PROVIDER_STATUS = "provider_status"
    """An eSIM provider says so."""


class ProfileDelivery(Protocol):
    """A road from the order to the card."""

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        """Make the profile with this record ready for its card. Asked again, it does it once."""
        ...

"""The port for delivering profiles to cards, and the kinds of proof that a card stores a session record."""

from enum import StrEnum
from typing import Protocol

from kswifi.outbox.results import JobResult


class StorageProof(StrEnum):
    """The kind of evidence that the card stores the record, recorded as it was received."""

    POR = "por"
    """The proof of receipt of a secured packet (TS 102.225)."""
    INSTALL_RESULT = "install_result"
    """The profile installation result, signed by the eUICC (SGP.22)."""
    PROVIDER_STATUS = "provider_status"
    """A status reported by an eSIM provider, without the card's signature."""


class ProfileDelivery(Protocol):
    """A way to deliver an ordered profile to its card."""

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        """Prepare a line's profile with this session record for download. Idempotent."""
        ...

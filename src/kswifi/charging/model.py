"""One ChargingSession: a Diameter Session-Id and its state between requests."""

from dataclasses import dataclass, field
from enum import StrEnum

from kswifi.charging.journal_notes import Bearer


class Access(StrEnum):
    """The access that the network gives the bearer, as last answered and confirmed by the next request."""

    FULL = "full"
    CONTROL_ONLY = "control_only"


@dataclass(slots=True)
class ChargingSession:
    """An open ChargingSession. Instants are Unix seconds."""

    session_id: str
    wallet_id: str
    bearer: Bearer
    opened_at: float
    last_report_at: float
    expires_at: float
    """The instant after which it is settled, if no request comes before."""
    access: Access = Access.FULL
    on_final_grant: bool = False
    """Whether its last grant had a Final-Unit-Indication."""
    last_number: int = -1
    octets_per_second: int = 0
    reservation_ids: set[str] = field(default_factory=set)
    called_in_at: float = 0.0
    """When it was last asked to report because another bearer of the line lacked the octets that it holds."""

    def note_report(self, number: int, used_octets: int, now: float) -> None:
        """Update the rate by a usage report; a repeated or late report is ignored.

        Args:
            number: the CC-Request-Number.
            used_octets: the octets reported.
            now: Unix seconds.
        """
        if number <= self.last_number:
            return
        elapsed = now - self.last_report_at
        if used_octets:
            self.octets_per_second = int(used_octets / max(elapsed, 0.001))
        self.last_number = number
        self.last_report_at = now

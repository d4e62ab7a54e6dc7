"""One ChargingSession: a Diameter Session-Id and what is known of it between its requests."""

from dataclasses import dataclass, field
from enum import StrEnum

from kswifi.charging.journal_notes import Bearer


class Access(StrEnum):
    """What the network lets through on the bearer, as it was last told and has confirmed by asking."""

    FULL = "full"
    CONTROL_ONLY = "control_only"


@dataclass(slots=True)
class ChargingSession:
    """An open ChargingSession. Times are Unix seconds."""

    session_id: str
    wallet_id: str
    bearer: Bearer
    opened_at: float
    last_report_at: float
    expires_at: float
    """When silence has lasted too long and it is settled."""
    access: Access = Access.FULL
    on_final_grant: bool = False
    """Whether it was told that nothing follows what it has."""
    last_number: int = -1
    octets_per_second: int = 0
    reservation_ids: set[str] = field(default_factory=set)
    called_in_at: float = 0.0
    """When it was asked last to report because another bearer of its line lacked what it holds."""

    def note_report(self, number: int, used_octets: int, now: float) -> None:
        """Take a report's pace into account; one that comes twice or late says nothing new."""
        if number <= self.last_number:
            return
        elapsed = now - self.last_report_at
        if used_octets:
            self.octets_per_second = int(used_octets / max(elapsed, 0.001))
        self.last_number = number
        self.last_report_at = now

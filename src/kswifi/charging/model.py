"""One ChargingSession: a Diameter Session-Id and what is known of it between its requests."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

import msgspec

from kswifi.diameter.credit_control import CreditControlRequest


class Access(StrEnum):
    """What the network lets through on the bearer, as it was last told and has confirmed by asking."""

    FULL = "full"
    CONTROL_ONLY = "control_only"


class Bearer(msgspec.Struct, frozen=True, array_like=True):
    """What tells one bearer from another; kept as the note of its reservations, so that a restart finds it."""

    imsi: str
    peer: str
    """The gateway's Origin-Host."""
    apn: str | None
    charging_id: int | None

    @classmethod
    def of(cls, request: CreditControlRequest) -> Self:
        """Take it from a request; without an IMSI it belongs to nobody, and no wallet will be found."""
        ps_information = request.ps_information
        return cls(
            imsi=request.imsi or "",
            peer=request.origin_host,
            apn=ps_information.called_station_id if ps_information is not None else None,
            charging_id=ps_information.charging_id if ps_information is not None else None,
        )

    def to_note(self, session_id: str) -> str:
        """Return the note of a reservation of this bearer's ChargingSession."""
        return _note_encoder.encode((session_id, self)).decode()

    @staticmethod
    def from_note(note: str) -> "tuple[str, Bearer]":
        """Read a note: (session_id, bearer); raises msgspec.DecodeError where it is none of ours."""
        return _note_decoder.decode(note)

    def is_successor_of(self, other: "Bearer") -> bool:
        """Tell whether this bearer took the other's place without a TERMINATION.

        Same subscriber, APN and gateway, and a new Charging-Id. Not the IMSI alone: a second APN is no orphan.
        """
        return (
            self.imsi == other.imsi
            and self.apn is not None
            and self.apn == other.apn
            and self.peer == other.peer
            and self.charging_id is not None
            and other.charging_id is not None
            and self.charging_id != other.charging_id
        )


_note_encoder: Final = msgspec.json.Encoder()
_note_decoder: Final = msgspec.json.Decoder(tuple[str, Bearer])


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
    last_number: int = -1
    octets_per_second: int = 0
    reservation_ids: set[str] = field(default_factory=set)

    def note_report(self, number: int, used_octets: int, now: float) -> None:
        """Take a report's pace into account; one that comes twice or late says nothing new."""
        if number <= self.last_number:
            return
        elapsed = now - self.last_report_at
        if used_octets:
            self.octets_per_second = int(used_octets / max(elapsed, 0.001))
        self.last_number = number
        self.last_report_at = now


@dataclass(frozen=True, slots=True)
class ChargingSessionView:
    """What others may know of an open ChargingSession: the network's state as it has confirmed it.

    It is gone from the list once the network terminated it, or fell silent for too long.
    """

    session_id: str
    wallet_id: str
    imsi: str
    peer: str
    apn: str | None
    access: Access
    opened_at: int
    last_report_at: int

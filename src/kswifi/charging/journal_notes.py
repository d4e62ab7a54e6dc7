"""What charging writes beside its reservations in the journal, for whoever makes charging data records from it.

The ledger keeps these words and never reads them. They are part of the effect that they belong to, so a crash
loses none. Arrays of JSON: a field is only ever added at the end, with a default.
"""

from enum import StrEnum
from typing import Final, Self

import msgspec

from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl


class ClosingCause(StrEnum):
    """Why a ChargingSession ended."""

    TERMINATION = "termination"
    """The network said so; Termination-Cause tells more (RFC 6733, 8.15)."""
    REPLACED = "replaced"
    """A new bearer took its place and nobody said farewell: an orphan."""
    SILENT = "silent"
    """Nothing was heard of it for too long."""
    EVENT = "event"
    """It was a single event, debited at once or refused for want of octets."""
    REFUSED = "refused"
    """It never opened: nothing could be granted, or the line was barred."""
    UNKNOWN = "unknown"
    """Usage was reported for a session that nobody knew, or knew no longer."""
    LOST = "lost"
    """Its gateway restarted, and has not reported for it since (Origin-State-Id, RFC 6733, 8.16)."""


class Bearer(msgspec.Struct, frozen=True, array_like=True):
    """What tells one bearer from another, and what the network said of it when it opened.

    Kept as the note of its reservations, so that a restart finds it and its record knows who, where and how.
    """

    imsi: str
    peer: str
    """The gateway's Origin-Host."""
    apn: str | None
    charging_id: int | None
    rat_type: int | None = None
    """3GPP-RAT-Type (TS 29.061, 16.4.7.2)."""
    user_location: str | None = None
    """3GPP-User-Location-Info in hexadecimal (TS 29.061, 16.4.7.2)."""
    sgsn_mcc_mnc: str | None = None
    pdp_address: str | None = None
    """The first PDP-Address: of an IPv4v6 bearer the IPv4 address, if its gateway names that first."""
    pdp_ipv6_address: str | None = None
    """The address, or the prefix, of a bearer that has IPv6, alone or beside IPv4."""
    pdp_prefix_length: int | None = None
    """Bits of the IPv6 prefix, where the gateway tells them (PDP-Address-Prefix-Length)."""
    origin_state_id: int | None = None
    """The gateway's Origin-State-Id when the session was opened (RFC 6733, 8.16)."""

    @classmethod
    def of(cls, request: CreditControlRequest, origin_state_id: int | None = None) -> Self:
        """Take it from a request; without an IMSI it belongs to nobody, and no wallet will be found.

        Args:
            request: the request.
            origin_state_id: what the gateway said when it connected; the request's own goes before.
        """
        ps = request.ps_information
        imsi = request.imsi or ""
        if request.origin_state_id is not None:
            origin_state_id = request.origin_state_id
        if ps is None:
            return cls(imsi, request.origin_host, None, None, origin_state_id=origin_state_id)
        location, addresses = ps.user_location_info, ps.pdp_addresses
        return cls(
            imsi,
            request.origin_host,
            ps.called_station_id,
            ps.charging_id,
            ps.rat_type,
            None if location is None else location[:_LOCATION_LIMIT].hex(),
            ps.sgsn_mcc_mnc,
            addresses[0] if addresses else None,
            next((it for it in addresses if ":" in it), None),
            ps.pdp_prefix_length,
            origin_state_id,
        )

    def to_note(self, session_id: str) -> str:
        """Return the note of a reservation of this bearer's ChargingSession."""
        return _encode((session_id, self)).decode()

    @staticmethod
    def from_note(note: str) -> "tuple[str, Bearer]":
        """Read a note: (session_id, bearer); raises msgspec.DecodeError where it is none of ours."""
        return _decode_bearer(note)

    def has_moved_since(self, other: "Bearer") -> bool:
        """Tell whether the network said that it is elsewhere, or on another radio, now."""
        return self.user_location != other.user_location or self.rat_type != other.rat_type

    def is_for_the_same_as(self, other: "Bearer") -> bool:
        """Tell whether both are of one subscriber and one APN: a second APN is another bearer beside the first."""
        return self.imsi == other.imsi and self.apn is not None and self.apn == other.apn

    def is_successor_of(self, other: "Bearer", *, retransmitted: bool = False) -> bool:
        """Tell whether this bearer, under a new Session-Id, took the other's place without a TERMINATION.

        Same subscriber, APN and gateway. A gateway that restarted may give out the same Charging-Id again; in a
        request with the T flag, the same Charging-Id may be the same bearer.
        """
        return (
            self.is_for_the_same_as(other)
            and self.peer == other.peer
            and self.charging_id is not None
            and other.charging_id is not None
            and (self.charging_id != other.charging_id or not retransmitted)
        )


class UsageNote(msgspec.Struct, frozen=True, array_like=True):
    """What a report said beside its sum, and what a command that closes said of the reason."""

    input_octets: int | None = None
    """Uplink: from the user (RFC 8506, 8.24)."""
    output_octets: int | None = None
    cc_time: int | None = None
    """Seconds, as reported: some cores send absurd ones."""
    cause: ClosingCause | None = None
    termination_cause: int | None = None
    rat_type: int | None = None
    """Where it differs from what it was at the opening, as ``user_location``."""
    user_location: str | None = None

    def to_note(self) -> str:
        """Return it as a note."""
        return _encode(self).decode()

    @staticmethod
    def from_note(note: str) -> "UsageNote":
        """Read a note; raises msgspec.DecodeError where it is none of ours."""
        return _decode_usage(note) if note else NOTHING_SAID


NOTHING_SAID: Final = UsageNote()
_LOCATION_LIMIT: Final = 64
_encode: Final = msgspec.json.Encoder().encode
_decode_bearer: Final = msgspec.json.Decoder(tuple[str, Bearer]).decode
_decode_usage: Final = msgspec.json.Decoder(UsageNote).decode


def settling_note(cause: ClosingCause) -> str:
    """Return the note of a release."""
    return UsageNote(cause=cause).to_note()


def usage_note(
    service: ServiceCreditControl, moved: Bearer | None, *, closes: bool, termination: int | None
) -> str:
    """Return the note of a commit; "" where there is nothing to add to its sum.

    Args:
        service: the group that reports.
        moved: where the bearer is now, if not where it was opened.
        closes: whether this ends the ChargingSession.
        termination: the request's Termination-Cause.
    """
    received = sent = seconds = None
    for unit in service.used:
        if unit.cc_input_octets is not None:
            received = (received or 0) + unit.cc_input_octets
        if unit.cc_output_octets is not None:
            sent = (sent or 0) + unit.cc_output_octets
        if unit.cc_time is not None:
            seconds = (seconds or 0) + unit.cc_time
    if received is None and sent is None and seconds is None and moved is None and not closes:
        return ""
    return UsageNote(
        received,
        sent,
        seconds,
        ClosingCause.TERMINATION if closes else None,
        termination,
        None if moved is None else moved.rat_type,
        None if moved is None else moved.user_location,
    ).to_note()

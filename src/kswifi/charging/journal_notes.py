"""Notes that charging adds to its reservations in the journal; charging data records are made from them.

The ledger stores the notes and does not read them. A note is part of its effect, so a crash loses none. Format:
JSON arrays; a field is only added at the end, with a default.
"""

from enum import StrEnum
from typing import Final, Self

import msgspec

from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl


class ClosingCause(StrEnum):
    """Why a ChargingSession ended."""

    TERMINATION = "termination"
    """The network ended it; Termination-Cause has the details (RFC 6733, 8.15)."""
    REPLACED = "replaced"
    """A new bearer took its place without a TERMINATION: an orphan."""
    SILENT = "silent"
    """No request came for too long."""
    EVENT = "event"
    """It was a single event, debited at once or refused for lack of octets."""
    REFUSED = "refused"
    """It never opened: nothing could be granted, or the line was barred."""
    UNKNOWN = "unknown"
    """Usage was reported for an unknown session, or for one that is already forgotten."""
    PROVIDER = "provider"
    """A provider counted the usage: no bearer was opened here, so none is closed."""
    LOST = "lost"
    """Its gateway restarted and has not reported for it since (Origin-State-Id, RFC 6733, 8.16)."""


class Bearer(msgspec.Struct, frozen=True, array_like=True):
    """The identity of a bearer, and what the network reported about it when it opened.

    Stored as the note of its reservations, so that a restart finds it and its charging data record has these facts.
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
    """The first PDP-Address: for an IPv4v6 bearer the IPv4 address, if the gateway sends that first."""
    pdp_ipv6_address: str | None = None
    """The IPv6 address or prefix of an IPv6 or IPv4v6 bearer."""
    pdp_prefix_length: int | None = None
    """Bits of the IPv6 prefix, if the gateway sends PDP-Address-Prefix-Length."""
    origin_state_id: int | None = None
    """The gateway's Origin-State-Id when the session was opened (RFC 6733, 8.16)."""

    @classmethod
    def of(cls, request: CreditControlRequest, origin_state_id: int | None = None) -> Self:
        """Take the bearer from a request. Without an IMSI no wallet will be found for it.

        Args:
            request: the request.
            origin_state_id: the gateway's value from its capabilities exchange; the value in the request has
            priority.
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
        """Encode the note of a reservation of this bearer's ChargingSession."""
        return _encode((session_id, self)).decode()

    @staticmethod
    def from_note(note: str) -> "tuple[str, Bearer]":
        """Decode a note as (session_id, bearer).

        Raises:
            msgspec.DecodeError: it is not a note of a bearer.
        """
        return _decode_bearer(note)

    def has_moved_since(self, other: "Bearer") -> bool:
        """Return whether the location or the radio access type differs from ``other``."""
        return self.user_location != other.user_location or self.rat_type != other.rat_type

    def is_for_the_same_as(self, other: "Bearer") -> bool:
        """Return whether both have the same subscriber and APN; a second APN is a separate bearer."""
        return self.imsi == other.imsi and self.apn is not None and self.apn == other.apn

    def is_successor_of(self, other: "Bearer", *, retransmitted: bool = False) -> bool:
        """Return whether this bearer, under a new Session-Id, replaced the other one without a TERMINATION.

        Same subscriber, APN and gateway. A gateway that restarted may reuse a Charging-Id; in a retransmitted
        request (T flag), the same Charging-Id may be the same bearer.
        """
        return (
            self.is_for_the_same_as(other)
            and self.peer == other.peer
            and self.charging_id is not None
            and other.charging_id is not None
            and (self.charging_id != other.charging_id or not retransmitted)
        )


class UsageNote(msgspec.Struct, frozen=True, array_like=True):
    """Details of a usage report apart from its sum, and the cause of closing."""

    input_octets: int | None = None
    """Uplink: received from the user (RFC 8506, 8.24)."""
    output_octets: int | None = None
    cc_time: int | None = None
    """Seconds as reported; some cores send impossible values."""
    cause: ClosingCause | None = None
    termination_cause: int | None = None
    rat_type: int | None = None
    """Only if it differs from the value at the opening; ``user_location`` likewise."""
    user_location: str | None = None

    def to_note(self) -> str:
        """Encode it as a note."""
        return _encode(self).decode()

    @staticmethod
    def from_note(note: str) -> "UsageNote":
        """Decode a note; the empty note gives ``NOTHING_SAID``.

        Raises:
            msgspec.DecodeError: it is not a usage note.
        """
        return _decode_usage(note) if note else NOTHING_SAID


NOTHING_SAID: Final = UsageNote()
_LOCATION_LIMIT: Final = 64
_encode: Final = msgspec.json.Encoder().encode
_decode_bearer: Final = msgspec.json.Decoder(tuple[str, Bearer]).decode
_decode_usage: Final = msgspec.json.Decoder(UsageNote).decode


def settling_note(cause: ClosingCause) -> str:
    """Encode the note of a release."""
    return UsageNote(cause=cause).to_note()


def usage_note(
    service: ServiceCreditControl, moved: Bearer | None, *, closes: bool, termination: int | None
) -> str:
    """Encode the note of a commit; "" if there is nothing to add to its sum.

    Args:
        service: the group that reports usage.
        moved: the bearer with its location now, if that differs from the location at the opening.
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

"""The charging data record of one ChargingSession, and the rules that update it. Pure: no I/O."""

from dataclasses import dataclass, field, replace
from typing import Final

from kswifi.charging.journal_notes import Bearer, ClosingCause, UsageNote

HOUR_SECONDS: Final = 3600
_REPORT_SLACK_SECONDS: Final = 60
GY: Final = "gy"
PROVIDER: Final = "provider"
"""The two values of ``source``: a network reported the usage over Gy, or a data provider's counter grew."""
UNBOOKED: Final = ""
"""The account id of usage for which no account could be found."""


def provider_record_id(account_id: str) -> str:
    """Return the id of the record of an account whose usage a provider counts."""
    return f"provider;{account_id}"


@dataclass(slots=True)
class HourUsage:
    """The usage of a ChargingSession in one hour (UTC), paid by one account (an internet session's id).

    A report counts in the hour in which it was committed, although its octets flowed since the report before.
    """

    hour_at: int
    """Unix seconds; a multiple of 3600."""
    account_id: str
    octets: int = 0
    """All octets, both paid and overrun."""
    overrun_octets: int = 0
    input_octets: int = 0
    """From the user, if the network reports the directions separately."""
    output_octets: int = 0
    seconds: int = 0


@dataclass(slots=True)
class ChargingDataRecord:
    """The record of one ChargingSession, open or closed; instants are Unix seconds."""

    session_id: str
    imsi: str
    peer: str
    apn: str | None
    charging_id: int | None
    rat_type: int | None
    user_location: str | None
    """3GPP-User-Location-Info at the opening, in hexadecimal."""
    sgsn_mcc_mnc: str | None
    pdp_address: str | None
    pdp_ipv6_address: str | None
    pdp_prefix_length: int | None
    opened_at: int
    last_at: int
    closed_at: int | None = None
    cause: str | None = None
    termination_cause: int | None = None
    last_rat_type: int | None = None
    """Set if the radio or the location changed."""
    last_user_location: str | None = None
    octets: int = 0
    overrun_octets: int = 0
    input_octets: int = 0
    output_octets: int = 0
    seconds: int = 0
    open_reservations: int = 0
    source: str = GY
    hours: dict[tuple[int, str], HourUsage] = field(default_factory=dict)
    """The usage added to this object, by hour and account; earlier usage is in the table."""

    @classmethod
    def opened(cls, session_id: str, bearer: Bearer, at: int) -> "ChargingDataRecord":
        """Create the record of a ChargingSession that begins."""
        return cls(
            session_id=session_id,
            imsi=bearer.imsi,
            peer=bearer.peer,
            apn=bearer.apn,
            charging_id=bearer.charging_id,
            rat_type=bearer.rat_type,
            user_location=bearer.user_location,
            sgsn_mcc_mnc=bearer.sgsn_mcc_mnc,
            pdp_address=bearer.pdp_address,
            pdp_ipv6_address=bearer.pdp_ipv6_address,
            pdp_prefix_length=bearer.pdp_prefix_length,
            opened_at=at,
            last_at=at,
        )

    @classmethod
    def of_provider(cls, account_id: str, at: int) -> "ChargingDataRecord":
        """Create the record of an account whose usage a provider counts: it has no subscriber and no bearer.

        Args:
            account_id: the account; it names the record.
            at: the instant of the provider's first count, in Unix seconds.
        """
        bearer = Bearer("", PROVIDER, None, None)
        return replace(cls.opened(provider_record_id(account_id), bearer, at), source=PROVIDER)

    def count(self, account_id: str, octets: int, overrun_octets: int, as_of: int) -> None:
        """Add the growth of a provider's counter. The record is closed after each, as a single event is."""
        self.use(account_id, octets, as_of)
        if overrun_octets:
            self.use(account_id, overrun_octets, as_of, overrun=True)
        self.closed_at, self.cause = self.last_at, str(ClosingCause.PROVIDER)

    def reserve(self, at: int) -> None:
        """Count one more open reservation; a closed record is open again."""
        self.open_reservations += 1
        self.closed_at = self.cause = self.termination_cause = None
        self.last_at = max(self.last_at, at)

    def use(self, account_id: str, octets: int, at: int, *, overrun: bool = False) -> None:
        """Add used octets of an account; ``overrun`` marks octets that were not paid for."""
        hour = self._hour(account_id, at)
        for it in (self, hour):
            it.octets += octets
            if overrun:
                it.overrun_octets += octets
        self.last_at = max(self.last_at, at)

    def report(self, account_id: str, octets: int, note: UsageNote, at: int) -> None:
        """Add a usage report with its details: directions, seconds, location.

        A CC-Time longer than the whole session is an error of the core and is ignored. One pass, because nearly all
        effects are reports.
        """
        received, sent, seconds = note.input_octets or 0, note.output_octets or 0, note.cc_time or 0
        if seconds > at - self.opened_at + _REPORT_SLACK_SECONDS:
            seconds = 0
        if octets or received or sent or seconds:
            hour = self._hour(account_id, at)
            hour.octets += octets
            hour.input_octets += received
            hour.output_octets += sent
            hour.seconds += seconds
            self.octets += octets
            self.input_octets += received
            self.output_octets += sent
            self.seconds += seconds
        if note.user_location is not None:
            self.last_user_location = note.user_location
        if note.rat_type is not None:
            self.last_rat_type = note.rat_type
        self.last_at = max(self.last_at, at)

    def give_back(self, account_id: str, octets: int, at: int) -> None:
        """Subtract refunded octets. A refund is a single event: without open reservations the record is closed."""
        self.use(account_id, -octets, at)
        if self.open_reservations <= 0:
            self.closed_at, self.cause = at, str(ClosingCause.EVENT)

    def close(self, note: UsageNote, at: int, *, settled: bool) -> None:
        """Count one reservation less; with the last one, the record is closed."""
        self.open_reservations -= 1
        self.last_at = max(self.last_at, at)
        if self.open_reservations <= 0:
            self.closed_at = at
            self.cause = str(note.cause or (ClosingCause.SILENT if settled else ClosingCause.TERMINATION))
            self.termination_cause = note.termination_cause

    def _hour(self, account_id: str, at: int) -> HourUsage:
        key = (at - at % HOUR_SECONDS, account_id)
        hour = self.hours.get(key)
        if hour is None:
            hour = self.hours[key] = HourUsage(*key)
        return hour

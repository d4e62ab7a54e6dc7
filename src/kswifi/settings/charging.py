"""The settings of charging: its Diameter identity, the sizes of grants, and the retention of records."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

Seconds = Annotated[int, Field(ge=1, le=86_400)]
PeerNames = Annotated[tuple[str, ...], NoDecode, Field(max_length=1000)]
DiameterName = Annotated[
    str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
]


class ChargingSettings(BaseSettings):
    """Settings of the Gy server; all other settings are in ``kswifi.settings``."""

    diameter_identity: Annotated[DiameterName, Field(description="Our Origin-Host.")] = "ocs.kswifi"
    diameter_realm: Annotated[
        DiameterName, Field(description="Our Origin-Realm. An Open5GS SMF wants it to be its own.")
    ] = "kswifi"
    control_only_peers: Annotated[
        PeerNames,
        Field(description="own-core: Origin-Hosts that can restrict a line to KSWiFi's address (RESTRICT_ACCESS)."),
    ] = ()

    grant_cap_octets: Annotated[
        int, Field(ge=10_000, le=10**10, description="The largest grant of one Gy answer, the final one included.")
    ] = 10_000_000
    grant_min_octets: Annotated[
        int,
        Field(ge=1_000, le=10**10, description="The smallest grant that is not the last one; the cap goes before."),
    ] = 1_000_000
    grant_seconds: Annotated[
        Seconds, Field(description="How long a grant is meant to last at the rate last seen.")
    ] = 10
    validity_seconds: Annotated[
        Seconds, Field(description="Validity-Time: an idle line is heard of this often.")
    ] = 600
    shared_validity_seconds: Annotated[
        Seconds, Field(description="Validity-Time while another bearer of the line holds octets.")
    ] = 30
    control_only_validity_seconds: Annotated[
        Seconds, Field(description="How often a line on hold asks whether the hold was lifted.")
    ] = 15
    grace_seconds: Annotated[
        Seconds, Field(description="Silence beyond the Validity-Time after which a ChargingSession is settled.")
    ] = 120
    quota_holding_seconds: Annotated[
        int,
        Field(
            ge=0, le=86_400, description="Quota-Holding-Time: an idle grant comes back after so long; 0: not said."
        ),
    ] = 0
    quota_threshold_percent: Annotated[
        int, Field(ge=0, le=90, description="Volume-Quota-Threshold, of each grant but the last; 0: not said.")
    ] = 0
    time_quota_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="CC-Time in addition to the octets of each grant but the last; 0: only if asked for.",
        ),
    ] = 0
    final_unit_action: Annotated[
        Literal["terminate", "redirect", "restrict_access"],
        Field(description="own-core: what peers do after the last grant, control_only_peers aside."),
    ] = "terminate"
    redirect_url: Annotated[
        str | None,
        Field(max_length=500, pattern=r"^https?://", description="Where redirect leads; the page if not set."),
    ] = None
    refuse_in_group: Annotated[
        bool, Field(description="Refuse by the Result-Code of a group of units instead of the whole answer.")
    ] = False
    refusal_delay_milliseconds: Annotated[
        int,
        Field(
            ge=0,
            le=2_000,
            description="How long a refusal of an INITIAL is kept back, for cores that abort if it comes at once "
            "(Open5GS: 100); 0: not at all.",
        ),
    ] = 0
    refusal_delay_peers: Annotated[
        PeerNames, Field(description="Origin-Hosts whose refusals are kept back; all of them if not set.")
    ] = ()
    cc_failure_handling: Annotated[
        Literal["unsaid", "terminate", "continue", "retry_and_terminate"],
        Field(description="Credit-Control-Failure-Handling: what a core does while we do not answer."),
    ] = "unsaid"
    direct_debiting_failure_handling: Annotated[
        Literal["unsaid", "terminate_or_buffer", "continue"],
        Field(description="Direct-Debiting-Failure-Handling, likewise for single events."),
    ] = "unsaid"

    cdr_retention_days: Annotated[
        int, Field(ge=1, le=3_660, description="How long charging data records of closed sessions are kept.")
    ] = 400
    account_retention_days: Annotated[
        int,
        Field(
            ge=35,
            le=36_600,
            description="How long the ledger keeps an account that has ended, and at least until its own expiry.",
        ),
    ] = 35
    proof_ends_exhaustion: Annotated[
        bool,
        Field(
            description="A session that is ordered after the last one was used up counts as soon as its card holds "
            "it; otherwise its owner has to activate it."
        ),
    ] = True
    journal_retention_days: Annotated[
        int,
        Field(
            ge=0, le=36_600, description="How long the ledger's journal is kept beyond its snapshots; 0: for ever."
        ),
    ] = 90

    @field_validator("control_only_peers", "refusal_delay_peers", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _one_least_grant(self) -> Self:
        if self.shared_validity_seconds > self.validity_seconds:
            raise ValueError("shared_validity_seconds cannot be more than validity_seconds")
        return self

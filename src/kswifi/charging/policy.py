"""What an operator sets about grants, and the rule they follow."""

from dataclasses import dataclass

from kswifi.diameter.constants import CcFailureHandling, DirectDebitingFailureHandling, FinalUnitAction
from kswifi.diameter.messages.units import FinalUnitIndication, ServiceUnit
from kswifi.ledger.commands import Ask

CONTROL_ONLY_FILTER_ID = "kswifi-control-only"
"""Names the restriction to KSWiFi's own address, which the access gateway knows how to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingPolicy:
    """The limits of grants, and how long silence is borne.

    A higher cap means fewer requests and a longer wait until a pause or a revocation is noticed: at most one
    grant or one Validity-Time. What remains at or below the cap is granted whole, with Final-Unit-Indication.
    """

    max_grant_octets: int = 10_000_000
    min_grant_octets: int = 1_000_000
    grant_seconds: int = 10
    """A grant is meant to last this long at the rate last seen, within the two limits."""
    validity_seconds: int = 600
    shared_validity_seconds: int = 30
    """While another ChargingSession of the wallet holds octets that may come back, or one grant at most is left."""
    control_only_validity_seconds: int = 15
    """How soon a network that restricts asks again whether the hold was lifted."""
    grace_seconds: int = 120
    """Silence beyond the Validity-Time after which a ChargingSession is settled without its owner."""
    max_waiting_before_initials: int = 8192
    """Requests being committed beyond which an INITIAL is turned away: what carries usage goes first."""
    control_only_peers: frozenset[str] = frozenset()
    """Origin-Hosts that can restrict a bearer to KSWiFi's address instead of refusing it."""
    final_unit_action: FinalUnitAction = FinalUnitAction.TERMINATE
    """What all other peers do once the last grant is used up."""
    redirect_url: str = ""
    """Where REDIRECT leads to."""
    refuse_in_group: bool = False
    """Refuse units by the Result-Code of their group instead of the whole command: some cores take that badly."""
    quota_holding_seconds: int | None = None
    """An idle grant is reported back after so long (TS 32.299, 7.2.138)."""
    threshold_percent: int = 0
    """Of a grant that is not the last one: the rest at which to ask anew; 0 leaves that to the client."""
    time_quota_seconds: int | None = None
    """The longest that a grant may last; a client that asks for time gets at most its Validity-Time anyway."""
    failure_handling: CcFailureHandling | None = None
    """What a client does while no server answers; None leaves that to its own settings (RFC 8506, 8.14)."""
    direct_debiting_failure_handling: DirectDebitingFailureHandling | None = None
    restriction_filter_rules: tuple[str, ...] = ()
    """IPFilterRules that describe the same restriction to other gateways (RFC 6733, 4.3.1)."""

    def ask(self, octets_per_second: int, now: int) -> Ask:
        """Return what to reserve: enough for a while at this rate, or the whole of a small rest."""
        amount = octets_per_second * self.grant_seconds
        return Ask(
            amount_octets=max(self.min_grant_octets, min(amount, self.max_grant_octets)),
            whole_up_to_octets=self.max_grant_octets,
            expires_at=now + self.validity_seconds + self.grace_seconds,
        )

    def ask_beside_others(self, octets_per_second: int, now: int, *, idle: bool) -> Ask:
        """Return what to reserve for one of several bearers of a line.

        Less than ``ask``: at the rate last seen, and the whole rest only where that is one smallest grant; for an
        idle bearer a tenth of that, and the rest of its last grant goes back.
        """
        amount = octets_per_second * self.grant_seconds
        amount = max(self.min_grant_octets, min(amount, self.max_grant_octets))
        return Ask(
            amount_octets=max(1, self.min_grant_octets // 10) if idle else amount,
            whole_up_to_octets=0 if idle else self.min_grant_octets,
            expires_at=now + self.validity_seconds + self.grace_seconds,
            may_shrink=idle,
        )

    def restricts(self, peer: str) -> bool:
        """Tell whether this peer keeps a bearer that has nothing left, for KSWiFi's address alone."""
        return peer in self.control_only_peers or self.final_unit_action is not FinalUnitAction.TERMINATE

    def final_unit(self, peer: str) -> FinalUnitIndication:
        """Return what the peer does once the last grant is used up."""
        if peer in self.control_only_peers or self.final_unit_action is FinalUnitAction.RESTRICT_ACCESS:
            return FinalUnitIndication(
                action=FinalUnitAction.RESTRICT_ACCESS,
                restriction_filter_rules=self.restriction_filter_rules,
                filter_ids=(CONTROL_ONLY_FILTER_ID,),
            )
        if self.final_unit_action is FinalUnitAction.REDIRECT:
            return FinalUnitIndication(action=FinalUnitAction.REDIRECT, redirect_url=self.redirect_url)
        return FinalUnitIndication(action=FinalUnitAction.TERMINATE)

    def threshold(self, granted_octets: int) -> int | None:
        """Return the rest at which the client asks anew; never for a final grant: its rest would be stranded."""
        return granted_octets * self.threshold_percent // 100 or None

    def time_quota(self, requested: ServiceUnit | None) -> int | None:
        """Return how many seconds a grant that is not final may last, where time matters at all."""
        asked = requested.cc_time if requested is not None else None
        if asked is None:
            return self.time_quota_seconds
        return max(1, min(asked or self.validity_seconds, self.time_quota_seconds or self.validity_seconds))

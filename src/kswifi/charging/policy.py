"""The operator's settings for grants, and the rule that sizes a grant."""

from dataclasses import dataclass

from kswifi.diameter.constants import CcFailureHandling, DirectDebitingFailureHandling, FinalUnitAction
from kswifi.diameter.messages.units import FinalUnitIndication, ServiceUnit
from kswifi.ledger.commands import Ask

CONTROL_ONLY_FILTER_ID = "kswifi-control-only"
"""The Filter-Id that restricts a bearer to KSWiFi's own address; the access gateway must have this filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingPolicy:
    """The limits of grants, and how long a session may be silent.

    A higher cap means fewer requests, but a pause or a revocation takes effect later: after at most one grant or
    one Validity-Time. What remains at or below the cap is granted whole, with Final-Unit-Indication.
    """

    max_grant_octets: int = 10_000_000
    min_grant_octets: int = 1_000_000
    grant_seconds: int = 10
    """A grant should last this long at the rate last seen, within the two limits."""
    validity_seconds: int = 600
    shared_validity_seconds: int = 30
    """While another ChargingSession of the wallet holds octets that may come back, or at most one more grant is
    left.
    """
    control_only_validity_seconds: int = 15
    """How often a network that restricts a bearer asks whether the hold was lifted."""
    grace_seconds: int = 120
    """Silence beyond the Validity-Time after which a ChargingSession is settled."""
    max_waiting_before_initials: int = 8192
    """Requests waiting for the ledger beyond which an INITIAL is refused: requests that carry usage have
    priority.
    """
    control_only_peers: frozenset[str] = frozenset()
    """Origin-Hosts that can restrict a bearer to KSWiFi's address instead of ending it."""
    final_unit_action: FinalUnitAction = FinalUnitAction.TERMINATE
    """What all other peers do after the last grant is used."""
    redirect_url: str = ""
    """The target of REDIRECT."""
    refuse_in_group: bool = False
    """Refuse units by the Result-Code of their group instead of the whole command; some cores handle that badly."""
    quota_holding_seconds: int | None = None
    """After so long an idle grant is reported back (TS 32.299, 7.2.138)."""
    threshold_percent: int = 0
    """The percentage of a grant (not of the last one) that is left when the client asks anew; 0: the client
    decides.
    """
    time_quota_seconds: int | None = None
    """The longest duration of a grant. A client that asks for time gets at most the Validity-Time anyway."""
    failure_handling: CcFailureHandling | None = None
    """What a client does while no server answers; None: its own settings decide (RFC 8506, 8.14)."""
    direct_debiting_failure_handling: DirectDebitingFailureHandling | None = None
    restriction_filter_rules: tuple[str, ...] = ()
    """IPFilterRules that express the same restriction for other gateways (RFC 6733, 4.3.1)."""

    def ask(self, octets_per_second: int, now: int) -> Ask:
        """Return how much to reserve: enough for ``grant_seconds`` at this rate, or all of a small rest."""
        amount = octets_per_second * self.grant_seconds
        return Ask(
            amount_octets=max(self.min_grant_octets, min(amount, self.max_grant_octets)),
            whole_up_to_octets=self.max_grant_octets,
            expires_at=now + self.validity_seconds + self.grace_seconds,
        )

    def ask_among_several(self, octets_per_second: int, now: int, *, idle: bool) -> Ask:
        """Return how much to reserve for one of several bearers of a line.

        Less than ``ask``: by the rate last seen, and the whole rest only if it is one minimum grant or less. An
        idle bearer gets a tenth of the minimum grant, and the rest of its last grant goes back.
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
        """Return whether this peer gives a bearer without credit control-only access, instead of ending it."""
        return peer in self.control_only_peers or self.final_unit_action is not FinalUnitAction.TERMINATE

    def final_unit(self, peer: str) -> FinalUnitIndication:
        """Return the Final-Unit-Indication for the peer's last grant."""
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
        """Return the rest at which the client asks anew; None: no threshold. Never use it with a final grant."""
        return granted_octets * self.threshold_percent // 100 or None

    def time_quota(self, requested: ServiceUnit | None) -> int | None:
        """Return how many seconds a grant that is not final may last; None: no time quota."""
        asked = requested.cc_time if requested is not None else None
        if asked is None:
            return self.time_quota_seconds
        return max(1, min(asked or self.validity_seconds, self.time_quota_seconds or self.validity_seconds))

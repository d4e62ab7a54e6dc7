"""Share the last octets of a wallet among several bearers of a line.

Octets that one bearer holds and does not use cannot be granted to another bearer of the line. Therefore an idle
bearer gets little while there are others, a grant that leaves little has a short Validity-Time, and an idle
bearer is asked to report (Re-Auth-Request) as soon as another bearer lacks octets.
"""

from typing import Final

from kswifi.charging.model import ChargingSession
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.re_auth import Notices
from kswifi.charging.registry import SessionRegistry
from kswifi.charging.request_state import Exchange
from kswifi.diameter.constants import CcRequestType
from kswifi.ledger.commands import Ask, Outcome
from kswifi.ledger.ports import Ledger

MAX_LACKING: Final = 10_000
"""The most lines remembered after a refused request; beyond it, all are forgotten."""


class Sharing:
    """Decides how many octets a bearer asks the ledger for, and makes idle bearers report."""

    def __init__(self, ledger: Ledger, policy: ChargingPolicy, sessions: SessionRegistry, notices: Notices) -> None:
        self._ledger = ledger
        self._policy = policy
        self._sessions = sessions
        self._notices = notices
        self._lacking: dict[str, float] = {}
        """By wallet: until when an idle bearer gets little, because a request of another bearer was refused."""

    def ask_for(
        self, wallet_id: str | None, charging_session: ChargingSession | None, *, idle: bool, now: float
    ) -> Ask:
        """Return how much to reserve for a bearer.

        Args:
            wallet_id: the line's wallet; None for an unknown session.
            charging_session: the open session; None for an INITIAL.
            idle: whether the session has used nothing since its last report.
            now: Unix seconds.
        """
        rate = 0 if charging_session is None else charging_session.octets_per_second
        others = 0
        if wallet_id is not None:
            others = self._sessions.count_of_wallet(wallet_id) - (charging_session is not None)
            if idle and not others and self._lacking:
                others = now < self._lacking.get(wallet_id, 0.0)
        if not others:
            return self._policy.ask(rate, int(now))
        return self._policy.ask_among_several(rate, int(now), idle=idle)

    def is_low(self, outcomes: list[Outcome]) -> bool:
        """Return whether an account of these grants has at most one more grant available."""
        most = self._policy.max_grant_octets
        for outcome in outcomes:
            if outcome.granted_octets and outcome.account_id is not None:
                left = self._ledger.state.available_octets(outcome.account_id)
                if left is not None and left <= most:
                    return True
        return False

    def call_idle_in(self, exchange: Exchange, outcomes: list[Outcome]) -> None:
        """Ask idle bearers of the line to report, if this bearer lacks octets or got the last ones."""
        kind = exchange.request.cc_request_type
        active = kind is CcRequestType.INITIAL or any(step.service.used_octets for step in exchange.steps)
        if not active or not any(self._lacks(outcome) for outcome in outcomes):
            return
        session_id, now = exchange.request.session_id, exchange.arrived_at
        wallet_id = exchange.wallet_id
        if wallet_id is None:
            return
        if not any(outcome.granted_octets for outcome in outcomes):
            if len(self._lacking) >= MAX_LACKING:
                self._lacking.clear()
            self._lacking[wallet_id] = now + 2 * self._policy.shared_validity_seconds
        self._notices.call_in(wallet_id, session_id, now, self._policy.shared_validity_seconds)

    def _lacks(self, outcome: Outcome) -> bool:
        if not outcome.shared:
            return False
        if not outcome.granted_octets:
            return True
        return outcome.account_id is not None and self._ledger.state.available_octets(outcome.account_id) == 0

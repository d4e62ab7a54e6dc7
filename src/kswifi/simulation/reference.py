"""The reference model: usage reported and answered on the wire, compared with the ledger's accounts."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kswifi.charging.late_requests import TX_SECONDS
from kswifi.diameter.constants import CcRequestType, RequestedAction, ResultCode
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl
from kswifi.ledger.commands import Outcome, OutcomeCode
from kswifi.ledger.state import LedgerState
from kswifi.ledger.verify import verify
from kswifi.simulation.errors import SimulationFailedError

Key: TypeAlias = tuple[str, int]

_EXPECTED: Final = frozenset(
    {
        ResultCode.SUCCESS,
        ResultCode.TOO_BUSY,
        ResultCode.CREDIT_LIMIT_REACHED,
        ResultCode.END_USER_SERVICE_DENIED,
        ResultCode.UNKNOWN_SESSION_ID,
        ResultCode.RATING_FAILED,
    }
)
"""The Result-Codes that correct requests of known subscribers may get."""


@dataclass(slots=True)
class Reference:
    """Sums and answers, computed independently of the product's rules."""

    reported: dict[Key, int] = field(default_factory=dict)
    """Octets of each request, counted once."""
    answered: dict[Key, tuple[int, int | None, bool]] = field(default_factory=dict)
    """Result-Code, grant and finality of the first answer to each request."""
    events: dict[Key, int] = field(default_factory=dict)
    """Octets that an event debits (negative: refunds) if it is answered with success."""

    closed: dict[str, int] = field(default_factory=dict)
    """Octets of each account that was about to be closed."""
    uncertain: dict[Key, int] = field(default_factory=dict)
    """Octets of requests that a restarting core gave up: they may have arrived or not."""
    uncertain_events: set[Key] = field(default_factory=set)

    counters: dict[str, int] = field(default_factory=dict)
    """The highest total that a provider's counter reported for each account."""
    counters_answered: dict[str, int] = field(default_factory=dict)
    """The highest total whose report was answered with DONE."""

    def counted(self, account_id: str, total: int) -> None:
        """Record a provider's report when it is sent."""
        self.counters[account_id] = max(total, self.counters.get(account_id, 0))

    def counted_answer(self, account_id: str, total: int, outcome: Outcome) -> None:
        """Record the outcome of a provider's report; one that was refused books nothing."""
        if outcome.code is OutcomeCode.DONE:
            self.counters_answered[account_id] = max(total, self.counters_answered.get(account_id, 0))

    def given_up(self, key: Key, used: int) -> None:
        """Record a request that its core no longer waits for."""
        if key not in self.answered:
            self.uncertain[key] = used

    def event_given_up(self, key: Key) -> None:
        """Record an event that its core no longer waits for."""
        if key not in self.answered:
            self.uncertain_events.add(key)

    def sent(self, request: CreditControlRequest) -> None:
        """Record a request when its core first sends it."""
        key = (request.session_id, request.cc_request_number)
        if request.cc_request_type is CcRequestType.EVENT:
            self.events[key] = _moved_by(request)
            return
        used = sum(service.used_octets for service in request.services)
        if self.reported.setdefault(key, used) != used:
            raise SimulationFailedError(f"a core reported {key} twice and differently")

    def heard(self, request: CreditControlRequest, answer: CreditControlAnswer, now: int) -> None:
        """Check an answer that leaves the server, and compare it with an earlier answer to the same request.

        ``now``: the wall clock in Unix seconds.
        """
        key = (request.session_id, request.cc_request_number)
        if answer.result_code not in _EXPECTED:
            raise SimulationFailedError(f"{key} was answered {answer.result_code}: {answer.error_message}")
        if answer.result_code == ResultCode.TOO_BUSY:
            return
        is_event = request.cc_request_type is CcRequestType.EVENT
        asks = not is_event and any(service.requested is not None for service in request.services)
        granted, final = None, False
        for service in answer.services:
            _check_group(key, service, asks=asks and answer.result_code == ResultCode.SUCCESS)
            granted = None if service.granted is None else service.granted.cc_total_octets
            final = service.final_unit is not None
        if asks and answer.is_success and not answer.services:
            raise SimulationFailedError(f"{key} asked for units and was answered success without any")
        mine = (answer.result_code, granted, final)
        before = self.answered.setdefault(key, mine)
        # An unknown session may be known later, because its INITIAL was overtaken. And a grant of a session that
        # was settled
        # since is not repeated, once no client can still wait for the first answer (Tx).
        was_unknown = before[0] == ResultCode.UNKNOWN_SESSION_ID
        is_late = abs(now - (request.event_timestamp or 0)) >= TX_SECONDS
        is_settled = answer.result_code == ResultCode.UNKNOWN_SESSION_ID and bool(before[1]) and is_late
        if mine != before and not (was_unknown or is_settled):
            raise SimulationFailedError(f"{key} was answered {before}, and when it came again {mine}")

    @property
    def moved(self) -> int:
        """Octets debited by events, minus those refunded by events."""
        successes = (key for key, said in self.answered.items() if said[0] == ResultCode.SUCCESS)
        return sum(self.events.get(key, 0) for key in successes)

    def check_books(self, state: LedgerState) -> None:
        """Check what must always hold: the ledger's invariants, no answered usage lost, no usage booked twice."""
        if violations := verify(state):
            raise SimulationFailedError("; ".join(violations))
        booked = self.booked(state)
        open_events = [octets for key, octets in self.events.items() if key not in self.answered]
        least = sum(self.reported[key] for key in self.answered if key in self.reported)
        least += sum(self.counters_answered.values())
        least += self.moved + sum(octets for octets in open_events if octets < 0)
        most = sum(self.reported.values()) + sum(self.counters.values())
        most += self.moved + sum(octets for octets in open_events if octets > 0)
        if booked < least:
            raise SimulationFailedError(
                f"{least} octets were answered for, and {booked} are booked: answers got lost"
            )
        if booked > most:
            raise SimulationFailedError(f"{booked} octets are booked, and only {most} were ever reported")

    def check_end(self, state: LedgerState) -> None:
        """Check what must hold after every core has its answers and is gone."""
        self.check_books(state)
        booked, reported = self.booked(state), sum(self.reported.values()) + self.moved
        # Every report of a counter has its outcome by now.
        reported += sum(self.counters_answered.values())
        least, most = self.bounds(reported)
        if not least <= booked <= most:
            raise SimulationFailedError(f"{least} to {most} octets were reported, {booked} are booked")
        held = sum(account.reserved for account in state.accounts.values())
        if held:
            raise SimulationFailedError(f"{held} octets are still reserved, and nobody is there any more")

    def bounds(self, octets: int) -> tuple[int, int]:
        """Return the least and the most octets that may be booked.

        ``octets``: the sum if all requests that were given up arrived.
        """
        unsure = [used for key, used in self.uncertain.items() if key not in self.answered]
        events = [self.events[key] for key in self.uncertain_events if key not in self.answered]
        least = octets - sum(unsure) + sum(it for it in events if it < 0)
        return least, octets + sum(it for it in events if it > 0)

    def booked(self, state: LedgerState) -> int:
        """Return all booked octets, including overrun, unbooked ones and those of closed accounts."""
        closed = sum(octets for account_id, octets in self.closed.items() if account_id not in state.accounts)
        lost = closed + sum(wallet.unbooked for wallet in state.wallets.values())
        return lost + sum(account.used + account.overrun for account in state.accounts.values())


def _moved_by(request: CreditControlRequest) -> int:
    (service,) = request.services
    octets = 0 if service.requested is None else service.requested.octets or 0
    return {RequestedAction.DIRECT_DEBITING: octets, RequestedAction.REFUND_ACCOUNT: -octets}.get(
        request.requested_action or RequestedAction.DIRECT_DEBITING, 0
    )


def _check_group(key: Key, service: ServiceCreditControl, *, asks: bool) -> None:
    granted = service.granted
    if asks and service.result_code == ResultCode.SUCCESS and (granted is None or granted.cc_total_octets is None):
        raise SimulationFailedError(f"{key} asked for units and was answered success without a grant")
    if granted is not None and granted.cc_total_octets == 0 and service.final_unit is None:
        raise SimulationFailedError(f"{key} was granted 0 without a final unit")
    strands = service.threshold_octets is not None or (granted is not None and granted.cc_time is not None)
    if service.final_unit is not None and strands:
        raise SimulationFailedError(f"{key} was given a threshold or a time together with a final unit")

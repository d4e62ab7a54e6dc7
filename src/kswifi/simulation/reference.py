"""The small reference: what was reported and answered on the wire, held against the ledger's books."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kswifi.diameter.constants import ResultCode
from kswifi.diameter.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.units import ServiceCreditControl
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
    }
)
"""What correct requests of known subscribers can be answered."""


@dataclass(slots=True)
class Reference:
    """Sums and answers, kept apart from the product: no rule of its own is used here."""

    reported: dict[Key, int] = field(default_factory=dict)
    """Octets of each request that was sent, once each."""
    answered: dict[Key, tuple[int, int | None, bool]] = field(default_factory=dict)
    """Result-Code, grant and finality of each first answer."""

    def sent(self, request: CreditControlRequest) -> None:
        """Take a request as its core sends it first."""
        key = (request.session_id, request.cc_request_number)
        used = sum(service.used_octets for service in request.services)
        if self.reported.setdefault(key, used) != used:
            raise SimulationFailedError(f"a core reported {key} twice and differently")

    def heard(self, request: CreditControlRequest, answer: CreditControlAnswer) -> None:
        """Check an answer that leaves the server, and hold it against the one that the request had before."""
        key = (request.session_id, request.cc_request_number)
        if answer.result_code not in _EXPECTED:
            raise SimulationFailedError(f"{key} was answered {answer.result_code}: {answer.error_message}")
        if answer.result_code == ResultCode.TOO_BUSY:
            return
        asks = any(service.requested is not None for service in request.services)
        granted, final = None, False
        for service in answer.services:
            _check_group(key, service, asks=asks and answer.result_code == ResultCode.SUCCESS)
            granted = None if service.granted is None else service.granted.cc_total_octets
            final = service.final_unit is not None
        if asks and answer.is_success and not answer.services:
            raise SimulationFailedError(f"{key} asked for units and was answered success without any")
        mine = (answer.result_code, granted, final)
        before = self.answered.setdefault(key, mine)
        # A refusal may be judged anew: a hold was lifted meanwhile.
        if mine != before and before[0] == ResultCode.SUCCESS:
            raise SimulationFailedError(f"{key} was answered {before}, and when it came again {mine}")

    def check_books(self, state: LedgerState) -> None:
        """Check what must hold at any time: sound books, nothing answered is lost, nothing is booked twice."""
        if violations := verify(state):
            raise SimulationFailedError("; ".join(violations))
        booked = self.booked(state)
        least = sum(self.reported[key] for key in self.answered)
        most = sum(self.reported.values())
        if booked < least:
            raise SimulationFailedError(
                f"{least} octets were answered for, and {booked} are booked: answers got lost"
            )
        if booked > most:
            raise SimulationFailedError(f"{booked} octets are booked, and only {most} were ever reported")

    def check_end(self, state: LedgerState) -> None:
        """Check what must hold once every core is answered and gone."""
        self.check_books(state)
        booked, reported = self.booked(state), sum(self.reported.values())
        if booked != reported:
            raise SimulationFailedError(f"{reported} octets were reported, {booked} are booked")
        held = sum(account.reserved for account in state.accounts.values())
        if held:
            raise SimulationFailedError(f"{held} octets are still reserved, and nobody is there any more")

    @staticmethod
    def booked(state: LedgerState) -> int:
        """Return the octets that are booked, those that could not be paid included."""
        return sum(account.used + account.overrun for account in state.accounts.values())


def _check_group(key: Key, service: ServiceCreditControl, *, asks: bool) -> None:
    granted = service.granted
    if asks and service.result_code == ResultCode.SUCCESS and (granted is None or granted.cc_total_octets is None):
        raise SimulationFailedError(f"{key} asked for units and was answered success without a grant")
    if granted is not None and granted.cc_total_octets == 0 and service.final_unit is None:
        raise SimulationFailedError(f"{key} was granted 0 without a final unit")
    strands = service.threshold_octets is not None or (granted is not None and granted.cc_time is not None)
    if service.final_unit is not None and strands:
        raise SimulationFailedError(f"{key} was given a threshold or a time together with a final unit")

"""A charging service on the ledger's own rules in memory, and requests for it in one line."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.model import ChargingSession
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.service import ChargingService
from kswifi.diameter.constants import CcRequestType, ReportingReason, SubscriptionIdType
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger import model
from kswifi.ledger.command_context import Work
from kswifi.ledger.commands import Ask, Command, Credit, OpenWallet, Outcome, OutcomeCode, ProveStorage
from kswifi.ledger.errors import LedgerBusyError
from kswifi.ledger.ordinary_commits import book
from kswifi.ledger.state import LedgerState
from tests.support.clocks import ManualClock

WALLET = "wallet-1"
IMSI = "001010000000001"
GATEWAY = "gateway.localdomain"
CORE = "smf.localdomain"
POLICY = ChargingPolicy(control_only_peers=frozenset({GATEWAY}))
INITIAL, UPDATE = CcRequestType.INITIAL, CcRequestType.UPDATE
TERMINATION, EVENT = CcRequestType.TERMINATION, CcRequestType.EVENT


class MemoryLedger:
    """Applies commands at once and answers when told to, as the real one does after its commit."""

    def __init__(self, clock: ManualClock) -> None:
        self.state = LedgerState()
        self.busy_after: int | None = None
        self._clock = clock
        self._waiting: list[tuple[Callable[[Outcome], None], Outcome]] = []

    @property
    def room(self) -> int:
        return 1_000 if self.busy_after is None else self.busy_after

    def submit(self, command: Command, done: Callable[[Outcome], None]) -> None:
        if self.busy_after is not None:
            if self.busy_after == 0:
                raise LedgerBusyError("full")
            self.busy_after -= 1
        outcome, _ = model.apply(self.state, command, unix_seconds(self._clock.now()))
        self._waiting.append((done, outcome))

    def commit_ordinary(
        self,
        reservation_id: str,
        command_id: str,
        used_octets: int,
        ask: Ask | None,
        note: str,
        done: Callable[[Outcome], None],
    ) -> bool:
        reservation = self.state.reservations.get(reservation_id)
        if reservation is None or self.busy_after is not None:
            return False
        work = Work(self.state, unix_seconds(self._clock.now()))
        outcome = book(work, reservation, command_id, used_octets, ask, note)
        if outcome is not None:
            self._waiting.append((done, outcome))
        return outcome is not None

    def flush(self) -> None:
        while self._waiting:
            done, outcome = self._waiting.pop(0)
            done(outcome)

    def do(self, command: Command) -> Outcome:
        outcome, _ = model.apply(self.state, command, unix_seconds(self._clock.now()))
        assert outcome.code is OutcomeCode.DONE, outcome
        return outcome


class Charging:
    """The service, its clock and its ledger, with a wallet that is open."""

    def __init__(self, policy: ChargingPolicy = POLICY) -> None:
        self.clock = ManualClock(datetime(2026, 11, 23, 6, tzinfo=UTC))
        self.ledger = MemoryLedger(self.clock)
        self.changed: list[str] = []
        self.policy = policy
        self.service = ChargingService(self.ledger, self.clock, policy, self.changed.append)
        self.ledger.do(OpenWallet("open", WALLET, IMSI))

    def restart(self) -> None:
        """Lose what the service had in memory."""
        self.service = ChargingService(self.ledger, self.clock, self.policy, self.changed.append)
        self.service.recover()

    def credit(
        self, account_id: str, octets: int | None, *, days: int = 30, proven: bool = True, withheld: int = 0
    ) -> None:
        expires_at = unix_seconds(self.clock.now() + timedelta(days=days))
        self.ledger.do(Credit(f"credit-{account_id}", WALLET, account_id, octets, expires_at, withheld))
        if proven:
            self.ledger.do(ProveStorage(f"prove-{account_id}", account_id, "install_result"))

    def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def send(self, request: CreditControlRequest) -> list[ChargingAnswer]:
        """Handle a request without flushing the ledger; the answers come into the list."""
        answers: list[ChargingAnswer] = []
        self.service.handle(request, answers.append)
        return answers

    def ask(self, request: CreditControlRequest) -> ChargingAnswer:
        answers = self.send(request)
        self.ledger.flush()
        (answer,) = answers
        return answer

    @property
    def now(self) -> int:
        return unix_seconds(self.clock.now())

    def unbooked(self, wallet_id: str) -> int:
        """Return the octets that no account of the wallet could take."""
        wallet = self.ledger.state.wallet(wallet_id)
        return 0 if wallet is None else wallet.unbooked_octets

    def balances(self, account_id: str) -> tuple[int, int, int]:
        """Return (used, reserved, available) of an account whose books balance."""
        found = self.ledger.state.balances(account_id)
        assert found is not None
        assert found.credited == found.used + found.reserved + found.available + found.expired + found.revoked
        return found.used, found.reserved, found.available


def request(
    kind: CcRequestType,
    number: int,
    *services: ServiceCreditControl,
    session: str = "s;1",
    host: str = CORE,
    apn: str | None = "internet",
    charging_id: int | None = 1,
    imsi: str = IMSI,
    indicator: int | None = None,
    direct: ServiceCreditControl | None = None,
    happened: int | None = None,
) -> CreditControlRequest:
    return CreditControlRequest(
        session_id=session,
        origin_host=host,
        origin_realm="localdomain",
        destination_realm="localdomain",
        cc_request_type=kind,
        cc_request_number=number,
        event_timestamp=happened,
        subscription_ids=(SubscriptionId(SubscriptionIdType.IMSI, imsi),),
        services=services,
        direct=direct,
        multiple_services_indicator=indicator,
        ps_information=PsInformation(called_station_id=apn, charging_id=charging_id),
    )


def units(
    used: int | None = None,
    *,
    wants: bool = True,
    group: int | None = None,
    reason: ReportingReason | None = None,
) -> ServiceCreditControl:
    return ServiceCreditControl(
        rating_group=group,
        requested=ServiceUnit() if wants else None,
        used=() if used is None else (ServiceUnit(cc_total_octets=used),),
        reporting_reason=reason,
    )


def granted(answer: ChargingAnswer) -> int | None:
    """Return what the single group of a successful answer grants."""
    assert answer.result_code == 2001, answer
    (service,) = answer.services
    return service.granted.cc_total_octets if service.granted is not None else None


def charging_sessions_of(service: ChargingService, wallet_id: str) -> list[ChargingSession]:
    """Return the ChargingSessions of a wallet that the network has open, the oldest first."""
    return list(service._sessions.of_wallet(wallet_id))

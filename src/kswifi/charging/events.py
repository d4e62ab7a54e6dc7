"""Single events: debit, refund, balance check and price enquiry (RFC 8506, 6; IEC in TS 32.299, 6.3.2).

A debit is all or nothing. The amount is reserved, then committed and closed, under ids that a replay repeats. If a
crash happens between the two, the open reservation is found at the next start and settled, unless the replay comes
first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from kswifi.charging.answers import ChargingAnswer, refusal, refusal_of
from kswifi.charging.journal_notes import Bearer, ClosingCause, UsageNote
from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import CheckBalanceResult, RequestedAction, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl, ServiceUnit
from kswifi.ledger.commands import Ask, Command, Commit, Outcome, OutcomeCode, Refund, Release, Reserve
from kswifi.ledger.errors import InvalidCommandError, LedgerError
from kswifi.ledger.ports import Ledger

_EVENT_NOTE: Final = UsageNote(cause=ClosingCause.EVENT).to_note()
_SETTLED_AFTER_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Event:
    """A debit or a refund while it is handled."""

    request: CreditControlRequest
    service: ServiceCreditControl
    octets: int
    answered: Callable[[ChargingAnswer], None]

    @property
    def reservation_id(self) -> str:
        """The id of the event's own reservation, and the prefix of its command ids."""
        return f"{self.request.session_id}#event{self.request.cc_request_number}"


class EventCharging:
    """Answers EVENT requests.

    Args:
        stranded: called with a request and its reservation if the ledger was too busy for the second half of a
        debit.
    """

    def __init__(self, ledger: Ledger, stranded: Callable[[CreditControlRequest, str], None]) -> None:
        self._ledger = ledger
        self._stranded = stranded

    def handle(
        self, request: CreditControlRequest, wallet_id: str, now: int, answered: Callable[[ChargingAnswer], None]
    ) -> None:
        """Answer one event.

        Raises:
            DiameterError: 5005 without Requested-Action, 5031 without an amount, 5004 with an impossible amount.
        """
        match request.requested_action:
            case None:
                raise DiameterError(
                    ResultCode.MISSING_AVP, "an event says what to do", d.REQUESTED_ACTION.example()
                )
            case RequestedAction.PRICE_ENQUIRY:
                # An internet session is paid for before it is downloaded, so using it costs nothing more.
                answered(ChargingAnswer(result_code=ResultCode.SUCCESS, cost_kobo=0))
            case RequestedAction.CHECK_BALANCE:
                answered(self._check(wallet_id, now, _amount(_unit(request)) or 1))
            case RequestedAction.REFUND_ACCOUNT:
                self._refund(_event(request, answered), wallet_id)
            case RequestedAction.DIRECT_DEBITING:
                self._debit(_event(request, answered), wallet_id, now)

    def _check(self, wallet_id: str, now: int, octets: int) -> ChargingAnswer:
        """Answer whether that many octets could be granted now; nothing is reserved (RFC 8506, 6.2)."""
        state = self._ledger.state
        wallet, left = state.wallet(wallet_id), 0
        if wallet is not None and wallet.hold is None and not wallet.frozen:
            active_id = wallet.active_account_id
            for account_id in sorted(wallet.account_ids, key=lambda it: it != active_id):
                account = state.account(account_id)
                if account is None or not account.storage_proof or account.expires_at <= now:
                    continue
                left += octets if account.uncapped else account.balances.available
                more_may_come = account_id == active_id and (account.balances.reserved or account.withheld_octets)
                if (left or more_may_come) and not wallet.continue_with_next:
                    break
        enough = CheckBalanceResult.ENOUGH_CREDIT if left >= octets else CheckBalanceResult.NO_CREDIT
        return ChargingAnswer(result_code=ResultCode.SUCCESS, check_balance_result=enough)

    def _refund(self, event: Event, wallet_id: str) -> None:
        """Give used octets back, usually those of an event that failed after its debit (RFC 8506, 6.4)."""

        def done(outcome: Outcome) -> None:
            if outcome.code is OutcomeCode.INSUFFICIENT:
                event.answered(refusal(ResultCode.RATING_FAILED, "no session of this line has used so much"))
            else:
                event.answered(_whole(event) if outcome.code is OutcomeCode.DONE else refusal_of(outcome.code))

        bearer = Bearer.of(event.request).to_note(event.request.session_id)
        self._submit(event, lambda: Refund(event.reservation_id, wallet_id, event.octets, bearer), done)

    def _debit(self, event: Event, wallet_id: str, now: int) -> None:
        """Reserve the amount; ``_reserved`` commits it once the reservation is durable."""
        reservation_id = event.reservation_id
        ask = partial(Ask, event.octets, 0, now + _SETTLED_AFTER_SECONDS)
        note = Bearer.of(event.request).to_note(event.request.session_id)
        self._submit(
            event,
            lambda: Reserve(f"{reservation_id}/open", reservation_id, wallet_id, ask(), note, admit=True),
            partial(self._reserved, event),
        )

    def _submit(self, event: Event, build: Callable[[], Command], done: Callable[[Outcome], None]) -> None:
        try:
            self._ledger.submit(build(), done)
        except InvalidCommandError as error:
            raise DiameterError(
                ResultCode.INVALID_AVP_VALUE, error.message, d.CC_TOTAL_OCTETS.encode(event.octets)
            ) from None
        except LedgerError as error:
            raise DiameterError(ResultCode.TOO_BUSY, error.message) from None

    def _reserved(self, event: Event, outcome: Outcome) -> None:
        reservation_id = event.reservation_id
        # A replay of a finished debit meets its closed reservation; the commit then returns the stored answer. A
        # refused
        # debit is admitted and closed too, so that a late copy of it cannot succeed after the client saw the
        # refusal.
        if outcome.code in (OutcomeCode.UNKNOWN_WALLET, OutcomeCode.TOO_MANY, OutcomeCode.CONFLICT):
            event.answered(refusal_of(outcome.code))
        elif outcome.code is not OutcomeCode.DONE:
            release = Release(command_id=reservation_id, reservation_id=reservation_id, note=_EVENT_NOTE)
            self._finish(event, release, refused=refusal_of(outcome.code))
        elif outcome.granted_octets >= event.octets:
            commit = Commit(
                command_id=reservation_id,
                reservation_id=reservation_id,
                used_octets=event.octets,
                close=True,
                note=_EVENT_NOTE,
            )
            self._finish(event, commit)
        else:
            release = Release(command_id=reservation_id, reservation_id=reservation_id, note=_EVENT_NOTE)
            self._finish(event, release, refused=refusal(ResultCode.CREDIT_LIMIT_REACHED))

    def _finish(self, event: Event, command: Command, refused: ChargingAnswer | None = None) -> None:
        def done(outcome: Outcome) -> None:
            if outcome.code is not OutcomeCode.DONE:
                event.answered(refusal_of(outcome.code))
            else:
                event.answered(refused or _whole(event))

        try:
            self._ledger.submit(command, done)
        except LedgerError as error:
            self._stranded(event.request, event.reservation_id)
            event.answered(refusal(ResultCode.TOO_BUSY, error.message))


def _unit(request: CreditControlRequest) -> ServiceCreditControl | None:
    if len(request.services) > 1:
        raise DiameterError(
            ResultCode.AVP_OCCURS_TOO_MANY_TIMES,
            "an event has one group of units",
            d.MULTIPLE_SERVICES_CREDIT_CONTROL.example(),
        )
    return request.services[0] if request.services else request.direct


def _event(request: CreditControlRequest, answered: Callable[[ChargingAnswer], None]) -> Event:
    service = _unit(request)
    octets = _amount(service)
    if service is None or not octets:
        raise DiameterError(
            ResultCode.RATING_FAILED,
            "an event names its octets: CC-Total-Octets, or input and output",
            d.REQUESTED_SERVICE_UNIT.example(),
        )
    return Event(request, service, octets, answered)


def _amount(service: ServiceCreditControl | None) -> int | None:
    return None if service is None or service.requested is None else service.requested.octets


def _whole(event: Event) -> ChargingAnswer:
    """Build the answer for an event whose whole amount was debited or given back."""
    granted = ServiceUnit(cc_total_octets=event.octets)
    service = ServiceCreditControl(
        rating_group=event.service.rating_group,
        service_identifiers=event.service.service_identifiers,
        granted=granted,
        result_code=ResultCode.SUCCESS if event.request.services else None,
    )
    if event.request.services:
        return ChargingAnswer(result_code=ResultCode.SUCCESS, services=(service,))
    return ChargingAnswer(result_code=ResultCode.SUCCESS, direct=service)

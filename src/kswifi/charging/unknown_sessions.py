"""What comes before it was opened, or after it was forgotten: groups asked for later, and usage from nowhere."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from msgspec.structs import replace

from kswifi.charging.answers import ChargingAnswer, refusal
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.request_state import Exchange
from kswifi.charging.steps import Step
from kswifi.diameter.constants import ResultCode
from kswifi.ledger.commands import NOBODY, Ask, Command, Outcome, OutcomeCode
from kswifi.ledger.errors import InvalidCommandError, LedgerError
from kswifi.ledger.ports import Ledger

LATE_SECONDS: Final = 300
"""Age of a report, by its Event-Timestamp, up to which the line pays for usage of a session that nobody knows.

An older one may come again: it may have been booked, and forgotten since (``Retention.closed_seconds``). So may one
with the T flag.
"""

Taken: TypeAlias = Callable[[Exchange, int, Outcome], None]
"""Takes the outcome of the step at a place."""
GivenUp: TypeAlias = Callable[[Exchange, ChargingAnswer], None]


class LateOpening:
    """Opens what a step's command found missing in the ledger; ``taken`` is told how that ended."""

    def __init__(self, ledger: Ledger, policy: ChargingPolicy, taken: Taken, given_up: GivenUp) -> None:
        self._ledger = ledger
        self._policy = policy
        self._taken = taken
        self._given_up = given_up

    def open(self, exchange: Exchange, place: int, step: Step, outcome: Outcome) -> bool:
        """Open the reservation of a group that is new; tell whether that was begun.

        A rating group asked for later, usage that nothing was reserved for, and a farewell to what never was: of
        a session that is known, so that a replay meets what it met first. A replay of a group that was opened
        late meets its own reservation as a conflict. Of a session that nobody knows, its usage alone counts.
        """
        used = step.service.used_octets
        unknown = outcome.code is OutcomeCode.UNKNOWN_RESERVATION and not outcome.account_id
        replayed = outcome.code is OutcomeCode.CONFLICT and step.asks and not used
        if not replayed and not (unknown and (exchange.wallet_id is not None or used)):
            return False
        wallet_id = self.wallet_of(step) if replayed else exchange.wallet_id
        ask = self._policy.ask(exchange.octets_per_second, int(exchange.arrived_at))
        note = exchange.bearer.to_note(exchange.request.session_id)
        if wallet_id is None:
            self._book_apart(exchange, place, step.as_late(), ask, self._payer_of_unknown(exchange))
        elif step.asks and not used:
            self._submit(
                exchange, partial(step.reserve, wallet_id, ask, note), partial(self._taken, exchange, place)
            )
        else:
            admitted = partial(self._admitted, exchange, place, step, ask, wallet_id)
            self._submit(exchange, partial(step.admit, wallet_id, ask.expires_at, note), admitted)
        return True

    def wallet_of(self, step: Step) -> str | None:
        """Return the wallet of the step's reservation, if there is one."""
        reservation = self._ledger.state.reservation(step.reservation_id)
        return None if reservation is None else reservation.wallet_id

    def _admitted(
        self, exchange: Exchange, place: int, step: Step, ask: Ask, wallet_id: str, outcome: Outcome
    ) -> None:
        """Book on what was just taken in; where the line has too much open, beside it."""
        if outcome.code is OutcomeCode.DONE:
            self._submit(exchange, partial(step.commit, ask), partial(self._taken, exchange, place))
        elif outcome.code is OutcomeCode.TOO_MANY and step.service.used_octets:
            self._book_apart(exchange, place, step.as_late(), ask, wallet_id)
        else:
            self._taken(exchange, place, outcome)

    def _book_apart(self, exchange: Exchange, place: int, late: Step, ask: Ask, wallet_id: str) -> None:
        """Book usage on a tombstone made for it; the answer is 5002 all the same."""

        def booked(outcome: Outcome) -> None:
            self._taken(exchange, place, replace(outcome, code=OutcomeCode.UNKNOWN_RESERVATION))

        def admitted(outcome: Outcome) -> None:
            if outcome.code is OutcomeCode.DONE:
                self._submit(exchange, partial(late.commit, ask), booked)
            else:
                self._taken(exchange, place, outcome)

        note = exchange.bearer.to_note(exchange.request.session_id)
        self._submit(exchange, partial(late.admit, wallet_id, ask.expires_at, note, over=True), admitted)

    def _payer_of_unknown(self, exchange: Exchange) -> str:
        """Return the wallet for usage of a session that nobody knows: its line's, if it cannot have paid yet."""
        request, happened = exchange.request, exchange.request.event_timestamp
        if request.retransmitted or happened is None or abs(exchange.arrived_at - happened) > LATE_SECONDS:
            return NOBODY
        return self._ledger.state.wallet_of_imsi(exchange.bearer.imsi) or NOBODY

    def _submit(self, exchange: Exchange, build: Callable[[], Command], done: Callable[[Outcome], None]) -> None:
        try:
            self._ledger.submit(build(), done)
        except LedgerError as error:
            wrong = isinstance(error, InvalidCommandError)
            code = ResultCode.INVALID_AVP_VALUE if wrong else ResultCode.TOO_BUSY
            self._given_up(exchange, refusal(code, error.message))

"""Handle requests for unknown reservations: rating groups added later, and usage of unknown sessions."""

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
"""The age of a report, by its Event-Timestamp, up to which the line pays for usage of an unknown session.

An older report may be a repetition: it may have been booked and forgotten since (``Retention.closed_seconds``). The
same holds for a report with the T flag.
"""

Taken: TypeAlias = Callable[[Exchange, int, Outcome], None]
"""Takes the outcome of the step at an index of the exchange."""
GivenUp: TypeAlias = Callable[[Exchange, ChargingAnswer], None]


class LateOpening:
    """Opens reservations that a step's command did not find in the ledger.

    Args:
        taken: takes the final outcome of the step.
        given_up: takes the answer if the ledger is too busy to continue.
    """

    def __init__(self, ledger: Ledger, policy: ChargingPolicy, taken: Taken, given_up: GivenUp) -> None:
        self._ledger = ledger
        self._policy = policy
        self._taken = taken
        self._given_up = given_up

    def open(self, exchange: Exchange, place: int, step: Step, outcome: Outcome) -> bool:
        """Open the reservation of a new group; return whether that was started.

        Cases of a known session: a rating group added later, usage without a reservation, a TERMINATION of a
        group that never opened. The reservation is opened so that a replay finds it. A replay of a group that was
        opened late meets its own reservation as a CONFLICT. For an unknown session only its usage is booked.
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
        """Return the wallet of the step's reservation, or None."""
        reservation = self._ledger.state.reservation(step.reservation_id)
        return None if reservation is None else reservation.wallet_id

    def _admitted(
        self, exchange: Exchange, place: int, step: Step, ask: Ask, wallet_id: str, outcome: Outcome
    ) -> None:
        """Commit on the reservation just admitted, or on a tombstone if the line has too many open ones."""
        if outcome.code is OutcomeCode.DONE:
            self._submit(exchange, partial(step.commit, ask), partial(self._taken, exchange, place))
        elif outcome.code is OutcomeCode.TOO_MANY and step.service.used_octets:
            self._book_apart(exchange, place, step.as_late(), ask, wallet_id)
        else:
            self._taken(exchange, place, outcome)

    def _book_apart(self, exchange: Exchange, place: int, late: Step, ask: Ask, wallet_id: str) -> None:
        """Book usage on a tombstone made for it; the answer is still 5002."""

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
        """Return the wallet that pays for usage of an unknown session.

        It is the line's wallet if the usage cannot have been booked before, else the wallet ``NOBODY``.
        """
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

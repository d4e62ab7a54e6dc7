"""Credit control for packet data: requests become ledger commands, durable outcomes become answers."""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Final, TypeAlias

from kswifi.charging.answers import ChargingAnswer, closing, compose, refusal
from kswifi.charging.events import EventCharging
from kswifi.charging.journal_notes import Bearer, ClosingCause, settling_note
from kswifi.charging.late_requests import check_opener, settling_id, without_stale_grant
from kswifi.charging.model import Access, ChargingSession
from kswifi.charging.ordinary_reports import OrdinaryReport, OrdinaryReports
from kswifi.charging.origin_states import OriginStates
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.re_auth import Notices
from kswifi.charging.recovery import sessions_of, stranded_event
from kswifi.charging.registry import SessionRegistry
from kswifi.charging.request_state import Answered, ChargingCounters, Exchange
from kswifi.charging.sharing import Sharing
from kswifi.charging.steps import Step, begins_anew, check_kind, steps_of
from kswifi.charging.unknown_sessions import LateOpening
from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import CcRequestType, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.kernel.clock import Clock
from kswifi.ledger.commands import NO_ACCOUNT, Ask, Command, Commit, Outcome, OutcomeCode, Release
from kswifi.ledger.errors import InvalidCommandError, LedgerError
from kswifi.ledger.ports import Ledger

_log: Final = logging.getLogger(__name__)

_BEGINNINGS: Final = frozenset({CcRequestType.INITIAL, CcRequestType.EVENT})
_REFUSED: Final = settling_note(ClosingCause.REFUSED)
MAX_SETTLED_AT_ONCE: Final = 256
"""Silent sessions settled in one sweep; the next one continues."""

Changed: TypeAlias = Callable[[str], None]


class ChargingService:
    """Charges ChargingSessions to wallets.

    It keeps no state that could be lost: the ledger holds the amounts, and ``recover`` finds the open sessions
    again. Everything runs on the loop's thread and nothing blocks.

    Args:
        changed: called with the wallet whose sessions opened, ended or changed their access.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        policy: ChargingPolicy,
        changed: Changed | None = None,
    ) -> None:
        self.policy = policy
        self.counters = ChargingCounters()
        self._ledger = ledger
        self._clock = clock
        self._changed: Changed = changed or (lambda _wallet_id: None)
        self._sessions = SessionRegistry()
        self.notices = Notices(self._sessions)
        self.notices.unknown_there = self._settle_if_lost
        self.origins = OriginStates(self._sessions)
        self._sharing = Sharing(ledger, policy, self._sessions, self.notices)
        self.ordinary = OrdinaryReports(
            ledger,
            clock,
            policy,
            self._sessions,
            self._sharing,
            self.origins,
            self.counters,
            by_rules=self._finish_by_rules,
            ended=self._end,
            changed=self._changed,
        )
        self._events = EventCharging(ledger, self._keep_stranded)
        self._late = LateOpening(ledger, policy, self._take_outcome, self._give_up)
        self.is_short_of_space: Callable[[], bool] = lambda: False
        """Whether the disk is nearly full: then usage is still booked, and nothing new begins."""
        self._waiting = 0
        """Requests whose commands wait for the ledger."""

    def handle(self, request: CreditControlRequest, answered: Answered, origin_state_id: int | None = None) -> None:
        """Charge one request; ``answered`` is called once, when all of it is durable.

        Args:
            request: the request.
            answered: takes the answer.
            origin_state_id: the peer's value from its capabilities exchange, if the request is the peer's own.

        Raises:
            DiameterError: it is refused before anything was applied: 5031 a different service, 5004 impossible
                numbers, 5009 contradicting groups, 5002 a session that another Origin-Host opened, 3004 too many
                requests wait, or the disk is nearly full and the request opens a session; see ``events`` too.
        """
        self.counters.requests[request.cc_request_type.name] += 1
        check_kind(request)
        bearer = Bearer.of(request, origin_state_id)
        charging_session = self._sessions.get(request.session_id)
        now = self._clock.now().timestamp()
        wallet_id = charging_session.wallet_id if charging_session is not None else None
        check_opener(request, charging_session, self._ledger.state)
        if request.cc_request_type is CcRequestType.INITIAL and request.origin_state_id is not None:
            self.origins.heard(request.origin_host, request.origin_state_id, now)
        if request.cc_request_type in _BEGINNINGS:
            self._turn_away(request, is_known=charging_session is not None)
            wallet_id = self._ledger.state.wallet_of_imsi(bearer.imsi)
            if wallet_id is None:
                self._answer(answered, refusal(ResultCode.USER_UNKNOWN))
                return
        if request.cc_request_type is CcRequestType.EVENT and wallet_id is not None:
            self._events.handle(request, wallet_id, int(now), partial(self._answer, answered))
            return
        is_elsewhere = charging_session is not None and bearer.has_moved_since(charging_session.bearer)
        moved = bearer if is_elsewhere and request.ps_information is not None else None
        steps = steps_of(
            request, self.policy, charging_session.reservation_ids if charging_session is not None else set(), moved
        )
        used = 0
        if charging_session is not None:
            used = sum(step.service.used_octets for step in steps)
            charging_session.note_report(request.cc_request_number, used, now)
            if request.cc_request_type is CcRequestType.UPDATE:
                self.origins.clear(charging_session)
        exchange = Exchange(
            request=request,
            answered=answered,
            bearer=bearer,
            wallet_id=wallet_id,
            steps=steps,
            outcomes=[None] * len(steps),
            missing=len(steps),
            arrived_at=now,
            began=monotonic(),
            octets_per_second=charging_session.octets_per_second if charging_session is not None else 0,
        )
        if charging_session is None:
            ask = self.policy.ask(0, int(now))
        else:
            ask = self._sharing.ask_for(wallet_id, charging_session, idle=not used, now=now)
        self._submit_all(exchange, ask)

    def _turn_away(self, request: CreditControlRequest, *, is_known: bool) -> None:
        """Refuse what can wait, while too many requests wait or the disk is nearly full."""
        if self.waiting >= self.policy.max_waiting_before_initials:
            raise DiameterError(ResultCode.TOO_BUSY, f"{self.waiting} requests wait")
        if not is_known and begins_anew(request) and self.is_short_of_space():
            raise DiameterError(ResultCode.TOO_BUSY, "the disk of the server is full")

    @property
    def open_sessions(self) -> int:
        """The number of open ChargingSessions."""
        return len(self._sessions)

    @property
    def waiting(self) -> int:
        """The number of requests that wait for the ledger."""
        return self._waiting + self.ordinary.waiting

    def recover(self) -> int:
        """Rebuild the open ChargingSessions from the ledger; return how many.

        Call it once, after the ledger's start. Each session gets the whole grace from now on, because the silence
        may have been our own downtime.
        """
        reservations = self._ledger.state.open_reservations()
        found = sessions_of(reservations, self.policy, self._clock.now().timestamp())
        for charging_session in found:
            self._sessions.add(charging_session)
        return len(found)

    def sweep(self) -> int:
        """Settle ChargingSessions that were silent beyond Validity-Time and grace; return how many.

        Sessions whose gateway restarted are settled after the grace, without waiting for the Validity-Time.
        """
        settled, now = 0, self._clock.now().timestamp()
        for charging_session in self._sessions.overdue(now, MAX_SETTLED_AT_ONCE):
            if self._settle(charging_session, ClosingCause.SILENT):
                settled += 1
        self.counters.silent += settled
        lost = self.origins.lost(now, self.policy.grace_seconds, MAX_SETTLED_AT_ONCE)
        return settled + sum(map(self._settle_if_lost, lost))

    def peer_changed(self, origin_host: str, state_ids: frozenset[int]) -> None:
        """Record the Origin-State-Ids of a peer's open connections; call it whenever one opens or closes."""
        self.origins.peer_changed(origin_host, state_ids, self._clock.now().timestamp())

    # Requests to commands

    def _submit_all(self, exchange: Exchange, ask: Ask) -> None:
        request = exchange.request
        try:
            if request.cc_request_type is CcRequestType.INITIAL and exchange.wallet_id is not None:
                wallet_id = exchange.wallet_id
                commands = self._opening(exchange, wallet_id, ask)
                self._settle_orphans(exchange, wallet_id)
                if self._sessions.count_of_wallet(wallet_id):  # other sessions of the wallet are known only now
                    ask = self._sharing.ask_for(wallet_id, None, idle=False, now=exchange.arrived_at)
                    commands = self._opening(exchange, wallet_id, ask)
            else:
                commands = [self._following(exchange, step, ask) for step in exchange.steps]
        except InvalidCommandError as error:
            raise DiameterError(
                ResultCode.INVALID_AVP_VALUE, error.message, d.SESSION_ID.failed(request.session_id.encode())
            ) from None
        if len(commands) > 1 and self._ledger.room < len(commands):
            raise DiameterError(ResultCode.TOO_BUSY, "not all of it could be applied")
        try:
            for place, command in enumerate(commands):
                self._ledger.submit(command, partial(self._done, exchange, place))
        except LedgerError as error:
            # Submitted commands stay applied under their ids; the repeated request gets their stored outcomes.
            exchange.missing = -1
            raise DiameterError(ResultCode.TOO_BUSY, error.message) from None
        self._waiting += 1

    def _opening(self, exchange: Exchange, wallet_id: str, ask: Ask) -> list[Command]:
        note = exchange.bearer.to_note(exchange.request.session_id)
        commands: list[Command] = []
        for step in exchange.steps:
            if step.service.used_octets:
                commands.append(step.commit(ask))
            elif step.asks:
                commands.append(step.reserve(wallet_id, ask, note))
            else:
                commands.append(step.admit(wallet_id, ask.expires_at, note))
        return commands

    def _following(self, exchange: Exchange, step: Step, ask: Ask) -> Command:
        if step.answered or step.closes:
            return step.commit(ask)
        # A report without usage and without an ask: the session is alive, and keeps what it holds.
        wallet_id = exchange.wallet_id or self._late.wallet_of(step)
        if wallet_id is None:
            return step.commit(ask)
        return step.admit(wallet_id, ask.expires_at, exchange.bearer.to_note(exchange.request.session_id))

    # Outcomes to answers

    def _done(self, exchange: Exchange, place: int, outcome: Outcome) -> None:
        if exchange.missing < 0:
            return
        step = exchange.steps[place]
        if not self._late.open(exchange, place, step, outcome):
            self._take_outcome(exchange, place, outcome)

    def _take_outcome(self, exchange: Exchange, place: int, outcome: Outcome) -> None:
        if exchange.missing < 0:
            return
        if outcome.granted_octets and self._sessions.get(exchange.request.session_id) is None:
            outcome = without_stale_grant(exchange, exchange.steps[place], outcome, self._ledger.state)
        exchange.outcomes[place] = outcome
        exchange.missing -= 1
        if not exchange.missing:
            self._waiting -= 1
            self._finish(exchange)

    def _finish_by_rules(
        self, report: OrdinaryReport, session: ChargingSession, now: float, began: float, outcome: Outcome
    ) -> None:
        """Finish a report that was booked the shorter way, and whose answer is not plain."""
        request = report.request()
        exchange = Exchange(
            request=request,
            answered=report.answer_by_rules,
            bearer=Bearer.of(request, session.bearer.origin_state_id),
            wallet_id=session.wallet_id,
            steps=steps_of(request, self.policy, set()),
            outcomes=[None],
            missing=1,
            arrived_at=now,
            began=began,
            octets_per_second=session.octets_per_second,
        )
        self._waiting += 1
        self._take_outcome(exchange, 0, outcome)

    def _give_up(self, exchange: Exchange, answer: ChargingAnswer) -> None:
        """Refuse a request that is partly applied.

        Its commands stay applied; a repeated request gets their outcomes.
        """
        if exchange.missing > 0:
            exchange.missing = -1
            self._waiting -= 1
            self._answer(exchange.answered, answer)

    def _finish(self, exchange: Exchange) -> None:
        outcomes = [outcome for outcome in exchange.outcomes if outcome is not None]
        for outcome in outcomes:
            if outcome.account_id == NO_ACCOUNT:
                self.counters.unbooked_octets += outcome.overrun_octets
            else:
                self.counters.overrun_octets += outcome.overrun_octets
        if exchange.request.cc_request_type is CcRequestType.TERMINATION:
            answer = self._terminate(exchange, outcomes)
        else:
            answer = compose(
                exchange.steps,
                outcomes,
                self.policy,
                exchange.bearer.peer,
                direct=not exchange.request.services,
                in_group=_lacks_what_others_hold(exchange, outcomes),
                low=self._sharing.is_low(outcomes),
            )
            self._keep(exchange, answer)
            self._sharing.call_idle_in(exchange, outcomes)
            if (
                exchange.request.cc_request_type is CcRequestType.INITIAL
                and answer.result_code != ResultCode.SUCCESS
            ):
                self._let_go(exchange)
        self.counters.took(monotonic() - exchange.began)
        self._answer(exchange.answered, answer)

    def _answer(self, answered: Answered, answer: ChargingAnswer) -> None:
        self.counters.results[answer.result_code] += 1
        answered(answer)

    def _terminate(self, exchange: Exchange, outcomes: list[Outcome]) -> ChargingAnswer:
        charging_session = self._sessions.get(exchange.request.session_id)
        if charging_session is not None:
            self._end(charging_session)
        elif all(outcome.code is OutcomeCode.UNKNOWN_RESERVATION for outcome in outcomes):
            return refusal(ResultCode.UNKNOWN_SESSION_ID)
        return closing(exchange.steps)

    # Open sessions

    def _keep(self, exchange: Exchange, answer: ChargingAnswer) -> None:
        """Update the session by the newest answer; open it if it is new."""
        request = exchange.request
        if answer.result_code != ResultCode.SUCCESS:
            return
        charging_session = self._sessions.get(request.session_id)
        access = Access.CONTROL_ONLY if answer.restricts else Access.FULL
        if charging_session is None:
            charging_session = self._open(exchange, access)
            if charging_session is None:
                return
        charging_session.reservation_ids.update(step.reservation_id for step in exchange.steps)
        if request.cc_request_number < charging_session.last_number:
            return
        validity = self.policy.validity_seconds
        charging_session.expires_at = exchange.arrived_at + validity + self.policy.grace_seconds
        charging_session.on_final_grant = answer.is_final
        if charging_session.access is not access and (answer.services or answer.direct is not None):
            charging_session.access = access
            self._changed(charging_session.wallet_id)

    def _open(self, exchange: Exchange, access: Access) -> ChargingSession | None:
        """Add a session that is not in the registry, unless this is a late answer about an ended one."""
        wallet_id = exchange.wallet_id or self._ledger.state.wallet_of_imsi(exchange.bearer.imsi)
        reservations = map(self._ledger.state.reservation, (it.reservation_id for it in exchange.steps))
        if wallet_id is None or any(it is not None and it.closed for it in reservations):
            return None
        charging_session = ChargingSession(
            session_id=exchange.request.session_id,
            wallet_id=wallet_id,
            bearer=exchange.bearer,
            opened_at=exchange.arrived_at,
            last_report_at=exchange.arrived_at,
            expires_at=exchange.arrived_at + self.policy.validity_seconds + self.policy.grace_seconds,
            access=access,
            last_number=exchange.request.cc_request_number,
        )
        self._sessions.add(charging_session)
        self._changed(wallet_id)
        return charging_session

    def _let_go(self, exchange: Exchange) -> None:
        """Close the empty reservations of a refused INITIAL; if that fails, the next start finds them.

        They stay as tombstones for a while: a late copy of the INITIAL must not replace a session that came
        after it.
        """
        if self._sessions.get(exchange.request.session_id) is not None:
            return  # the session is open; the refused request contradicts it
        for step in exchange.steps:
            reservation = self._ledger.state.reservation(step.reservation_id)
            if reservation is not None and not reservation.closed and reservation.account_id == NO_ACCOUNT:
                close = Commit(f"{step.reservation_id}#refused", step.reservation_id, 0, close=True, note=_REFUSED)
                with suppress(LedgerError):
                    self._ledger.submit(close, _nothing_to_do)

    def _keep_stranded(self, request: CreditControlRequest, reservation_id: str) -> None:
        """Supervise the reservation of a half-done event until its replay comes or it is settled."""
        wallet_id = self._ledger.state.wallet_of_imsi(request.imsi or "")
        if wallet_id is not None and self._sessions.get(request.session_id) is None:
            self._sessions.add(
                stranded_event(request, wallet_id, reservation_id, self.policy, self._clock.now().timestamp())
            )

    def _settle_orphans(self, exchange: Exchange, wallet_id: str) -> None:
        """Settle the sessions that this new one replaces; a repeated INITIAL replaces none.

        A session that its gateway has probably lost is settled too, if it has the same subscriber and APN.
        """
        if any(self._ledger.state.reservation(step.reservation_id) for step in exchange.steps):
            return
        request, bearer = exchange.request, exchange.bearer
        left_behind = self._sessions.orphans_of(wallet_id, bearer, retransmitted=request.retransmitted)
        for orphan in left_behind:
            if orphan.session_id != request.session_id and self._settle(orphan, ClosingCause.REPLACED):
                _log.info("ChargingSession %s was left behind and is settled", orphan.session_id)
                self.counters.orphans += 1
        for it in self._sessions.of_wallet(wallet_id):
            if it.session_id != request.session_id and bearer.is_for_the_same_as(it.bearer):
                self._settle_if_lost(it)

    def _settle_if_lost(self, charging_session: ChargingSession) -> bool:
        """Settle an open session that its gateway has probably lost; return whether it was settled."""
        is_open = self._sessions.get(charging_session.session_id) is charging_session
        if not (is_open and self.origins.is_marked(charging_session)):
            return False
        if not self._settle(charging_session, ClosingCause.LOST):
            return False
        _log.info("ChargingSession %s was lost by its gateway and is settled", charging_session.session_id)
        self.counters.lost += 1
        return True

    def _settle(self, charging_session: ChargingSession, cause: ClosingCause) -> bool:
        """Release what a session holds; return False if the ledger is too busy.

        The tombstones of its reservations still take late usage.
        """
        note = settling_note(cause)
        try:
            for reservation_id in charging_session.reservation_ids:
                command = Release(command_id=settling_id(reservation_id), reservation_id=reservation_id, note=note)
                self._ledger.submit(command, _nothing_to_do)
        except LedgerError:
            return False  # too busy now: the next sweep tries again
        self._end(charging_session)
        return True

    def _end(self, charging_session: ChargingSession) -> None:
        self._sessions.remove(charging_session)
        self._changed(charging_session.wallet_id)


def _lacks_what_others_hold(exchange: Exchange, outcomes: list[Outcome]) -> bool:
    """Return whether groups of an UPDATE got nothing while another reservation of the wallet held octets."""
    if exchange.request.cc_request_type is not CcRequestType.UPDATE:
        return False
    return any(
        outcome.shared and step.reservation_id != exchange.request.session_id
        for step, outcome in zip(exchange.steps, outcomes, strict=True)
    )


def _nothing_to_do(_outcome: Outcome) -> None:
    """Ignore the outcome of a release or a closing commit: the reservation holds nothing afterwards."""

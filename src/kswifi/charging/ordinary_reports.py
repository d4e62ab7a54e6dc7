"""Reports of open ChargingSessions by the shorter way: one group, one reservation, a newer number.

Nine of ten requests of a network are such. ``ChargingService`` takes a request apart into steps, commands and an
exchange that collects their outcomes; a report needs none of these (ADR 36). What is less plain is left to it with
nothing changed that it would not change in the same way, and so is the answer if the session ended meanwhile or
another bearer of the line holds octets. ``test_ordinary_requests`` sends the same requests both ways.
"""

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Protocol, TypeAlias

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.journal_notes import ClosingCause, UsageNote
from kswifi.charging.model import Access, ChargingSession
from kswifi.charging.origin_states import OriginStates
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.registry import SessionRegistry
from kswifi.charging.request_state import ChargingCounters
from kswifi.charging.sharing import Sharing
from kswifi.diameter.constants import CcRequestType, ResultCode
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.kernel.clock import Clock
from kswifi.ledger.commands import Outcome
from kswifi.ledger.ports import Ledger


class OrdinaryReport(Protocol):
    """An UPDATE that asks for more octets, or a TERMINATION, with one group of units of packet data."""

    session_id: str
    origin_host: str
    reservation_id: str
    number: int
    """The CC-Request-Number."""
    used_octets: int
    input_octets: int | None
    output_octets: int | None
    cc_time: int | None
    has_place: bool
    """Whether the request has PS-Information: ``rat_type`` and ``user_location`` (hexadecimal) are known."""
    rat_type: int | None
    user_location: str | None
    closes: bool
    """Whether it is a TERMINATION."""
    termination_cause: int | None

    def answer(self, outcome: Outcome, *, low: bool) -> None:
        """Answer it by its durable outcome; ``low`` as in ``compose``."""
        ...

    def answer_by_rules(self, answer: ChargingAnswer) -> None:
        """Answer it as the service composed the answer."""
        ...

    def request(self) -> CreditControlRequest:
        """Return the whole request."""
        ...


ByRules: TypeAlias = Callable[[OrdinaryReport, ChargingSession, float, float, Outcome], None]
"""Finishes a report whose answer is not plain: report, session, arrival (Unix seconds, monotonic), outcome."""


class OrdinaryReports:
    """Charges ordinary reports.

    Args:
        by_rules: finishes a report whose answer is not plain.
        ended: called with a session that a TERMINATION ended.
        changed: called with the wallet whose session changed its access.
    """

    def __init__(  # noqa: PLR0913 - the parts of the service that a report passes through
        self,
        ledger: Ledger,
        clock: Clock,
        policy: ChargingPolicy,
        sessions: SessionRegistry,
        sharing: Sharing,
        origins: OriginStates,
        counters: ChargingCounters,
        *,
        by_rules: ByRules,
        ended: Callable[[ChargingSession], None],
        changed: Callable[[str], None],
    ) -> None:
        self.waiting = 0
        """Reports that wait for the ledger."""
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._sessions = sessions
        self._sharing = sharing
        self._origins = origins
        self._counters = counters
        self._by_rules = by_rules
        self._ended = ended
        self._changed = changed

    def take(self, report: OrdinaryReport) -> bool:
        """Charge a report, which is answered once that is durable; False if the service has to handle it."""
        session = self._sessions.get(report.session_id)
        if session is None or report.number <= session.last_number or session.bearer.peer != report.origin_host:
            return False
        reservation_id = report.reservation_id
        if len(session.reservation_ids) != 1 or reservation_id not in session.reservation_ids:
            return False
        began, now = monotonic(), self._clock.now().timestamp()
        used = report.used_octets
        # The service does the same first of all, and a second time changes nothing.
        session.note_report(report.number, used, now)
        if report.closes:
            ask = None
            done = partial(self._closed, report, began)
        else:
            self._origins.clear(session)
            ask = self._sharing.ask_for(session.wallet_id, session, idle=not used, now=now)
            done = partial(self._renewed, report, session, now, began)
        if not self._ledger.commit_ordinary(
            reservation_id,
            f"{reservation_id}#{report.number}",
            used,
            ask,
            _note(report, session),
            done,
        ):
            return False
        kind = CcRequestType.TERMINATION if report.closes else CcRequestType.UPDATE
        self._counters.requests[kind.name] += 1
        self.waiting += 1
        return True

    def _renewed(
        self, report: OrdinaryReport, session: ChargingSession, now: float, began: float, outcome: Outcome
    ) -> None:
        self.waiting -= 1
        if outcome.shared or self._sessions.get(report.session_id) is not session:
            self._by_rules(report, session, now, began, outcome)
            return
        low = self._sharing.is_low([outcome])
        if report.number >= session.last_number:
            session.expires_at = now + self._policy.validity_seconds + self._policy.grace_seconds
            session.on_final_grant = outcome.final
            if session.access is not Access.FULL:
                session.access = Access.FULL
                self._changed(session.wallet_id)
        self._answer(report, began, outcome, low=low)

    def _closed(self, report: OrdinaryReport, began: float, outcome: Outcome) -> None:
        self.waiting -= 1
        session = self._sessions.get(report.session_id)
        if session is not None:
            self._ended(session)
        self._answer(report, began, outcome, low=False)

    def _answer(self, report: OrdinaryReport, began: float, outcome: Outcome, *, low: bool) -> None:
        self._counters.took(monotonic() - began)
        self._counters.results[ResultCode.SUCCESS] += 1
        report.answer(outcome, low=low)


def _note(report: OrdinaryReport, session: ChargingSession) -> str:
    """Encode the note of the commit, as ``usage_note`` does."""
    opened = session.bearer
    moved = report.has_place and (
        report.user_location != opened.user_location or report.rat_type != opened.rat_type
    )
    if not (report.closes or moved) and report.input_octets is report.output_octets is report.cc_time is None:
        return ""
    return UsageNote(
        report.input_octets,
        report.output_octets,
        report.cc_time,
        ClosingCause.TERMINATION if report.closes else None,
        report.termination_cause,
        report.rat_type if moved else None,
        report.user_location if moved else None,
    ).to_note()

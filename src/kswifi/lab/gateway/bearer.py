"""A bearer: an attached line, with its flows, its grant and its access.

How credit control works here (RFC 8506; TS 32.299):

1. ``open`` applies the answer to CCR-Initial, which grants a number of octets. Flows take octets from the grant
   before they write them.
2. When half of a grant is used, the bearer reports its usage and asks for more (CCR-Update), so that the next grant
   is there before the present one ends. While no grant is left, flows wait.
3. A grant with Final-Unit-Indication is the last one. The bearer does not ask again. When its last octet is
   written, all flows are cut, and then either the bearer ends with CCR-Terminate (TERMINATE), or it reports with
   reason FINAL and may reach KSWiFi itself only (RESTRICT_ACCESS, "control-only access").
4. Validity-Time limits a grant in time. When it has passed, nothing flows until the server has answered a new
   request. In control-only access the bearer asks at each Validity-Time, and a new grant opens full access again.
5. The server can also order a new report at any time (Re-Auth-Request) or the end (Abort-Session-Request).
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

import structlog

from kswifi.diameter.constants import FinalUnitAction, ReportingReason
from kswifi.lab.gateway.allowance import Allowance
from kswifi.lab.gateway.credit import CreditAnswer, CreditControl
from kswifi.lab.gateway.errors import ProxyRefusedError
from kswifi.lab.gateway.relay import Flow

_log = structlog.get_logger(__name__)

_ANNOUNCE_SECONDS: Final = 3.0
_SLOW_LANE_TICK_SECONDS: Final = 0.1

BACK_TO_WIFI: Final = (
    "This internet session is used up, or its line is on hold. Back to WiFi: download the next session there,\n"
    "or open KSWiFi over this line and choose one that is stored already.\n"
)

Changed = Callable[["Access", str], None]


class Access(StrEnum):
    """The destinations that a bearer may reach."""

    FULL = "full"
    CONTROL_ONLY = "control_only"
    ENDED = "ended"


class SlowLane:
    """The allowance for KSWiFi itself in control-only access: uncharged, limited by a token bucket."""

    def __init__(self, octets_per_second: int) -> None:
        self._rate = octets_per_second
        self._tokens = octets_per_second
        self._filled = 0.0

    def available(self) -> int:
        """Return the tokens in the bucket, after adding those of the time passed."""
        now = asyncio.get_running_loop().time()
        self._tokens = min(self._rate, self._tokens + int((now - self._filled) * self._rate))
        self._filled = now
        return self._tokens

    def take(self, octets: int, *, uplink: bool) -> None:  # noqa: ARG002 - the port's shape
        """Take tokens."""
        self._tokens -= octets

    def give_back(self, octets: int, *, uplink: bool) -> None:  # noqa: ARG002 - the port's shape
        """Put tokens back."""
        self._tokens += octets

    def wait(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` a short time later."""
        asyncio.get_running_loop().call_later(_SLOW_LANE_TICK_SECONDS, resume)

    def stop_waiting(self, resume: Callable[[], None]) -> None:
        """Do nothing: a late call of ``resume`` has no effect on a flow that has ended."""


class Bearer:
    """One bearer: the ``Allowance`` of its flows, and the client of credit control.

    All of it runs on one event loop without awaiting between a check and its use, so no octet of a grant is used
    twice.

    Args:
        bearer_id: its name, which is also the proxy's user name.
        password: of the proxy.
        credit: its ChargingSession.
        slow_lane: the allowance for KSWiFi itself in control-only access.
        retry_seconds: when to ask again in control-only access if the server sends no Validity-Time.
        most_flows: how many connections it may have at the same time.
    """

    def __init__(
        self,
        bearer_id: str,
        password: str,
        credit: CreditControl,
        *,
        slow_lane: SlowLane,
        retry_seconds: int,
        most_flows: int,
    ) -> None:
        self.bearer_id = bearer_id
        self.password = password
        self.credit = credit
        self.access = Access.FULL
        self.changed: Changed = lambda _access, _reason: None
        self._slow_lane = slow_lane
        self._retry_seconds = retry_seconds
        self._most_flows = most_flows
        self._loop = asyncio.get_running_loop()
        self._count = credit.count
        self._announced = Access.FULL
        self._final: FinalUnitAction | None = None
        self._threshold = 0
        self._lapsed = False
        self._asking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: dict[Callable[[], None], None] = {}
        self._flows: set[Flow] = set()
        self._joining = 0
        self._ending: asyncio.Task[None] | None = None

    @property
    def imsi(self) -> str:
        """The subscriber's IMSI."""
        return self._count.identity.imsi

    @property
    def used_octets(self) -> int:
        """Octets relayed so far."""
        return self._count.used

    @property
    def flows(self) -> frozenset[Flow]:
        """The flows that are open."""
        return frozenset(self._flows)

    # -- for the proxy -----------------------------------------------------------------------------------------

    def admit(self, *, is_origin: bool) -> Allowance:
        """Return the allowance for a new flow.

        Args:
            is_origin: whether the destination is KSWiFi itself.

        Raises:
            ProxyRefusedError: 403, the bearer may not reach the destination now.
        """
        if self.access is Access.FULL:
            return self
        if self.access is Access.CONTROL_ONLY and is_origin:
            return self._slow_lane
        raise ProxyRefusedError(403, BACK_TO_WIFI)

    @contextmanager
    def joining(self) -> Iterator[None]:
        """Reserve a place for a flow while its destination is looked up and connected to.

        Raises:
            ProxyRefusedError: 503, the bearer has too many flows.
        """
        if len(self._flows) + self._joining >= self._most_flows:
            raise ProxyRefusedError(503, f"this line has {self._most_flows} connections open already\n")
        self._joining += 1
        try:
            yield
        finally:
            self._joining -= 1

    def add(self, flow: Flow) -> None:
        """Add a flow. It is cut when the bearer's access ends."""
        self._flows.add(flow)

    def discard(self, flow: Flow) -> None:
        """Remove a flow that has closed."""
        self._flows.discard(flow)

    # -- Allowance ---------------------------------------------------------------------------------------------

    def available(self) -> int:
        """Return the unused octets of the grant; 0 while the grant may not be used."""
        if self.access is not Access.FULL or self._lapsed:
            return 0
        return max(0, self.credit.limit_octets - self._count.used)

    def take(self, octets: int, *, uplink: bool) -> None:
        """Count octets on disk before they are written, and ask for more at half of a grant."""
        self._count.advance(octets, uplink=uplink)
        if self.credit.limit_octets - self._count.used <= self._threshold:
            self._runs_low()

    def give_back(self, octets: int, *, uplink: bool) -> None:
        """Return octets of a short write to the grant, and resume flows that wait for them."""
        self._count.give_back(octets, uplink=uplink)
        if self._waiting:
            self._loop.call_soon(self._wake)

    def wait(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` when octets may be available again; never, if the bearer ends first."""
        self._waiting[resume] = None
        if self.available():
            self._loop.call_soon(self._wake)
        else:
            self._runs_low()

    def stop_waiting(self, resume: Callable[[], None]) -> None:
        """Cancel the wait of a flow that has ended."""
        self._waiting.pop(resume, None)

    def _wake(self) -> None:
        if self.available():
            waiting, self._waiting = self._waiting, {}
            for resume in waiting:
                resume()

    # -- credit control ----------------------------------------------------------------------------------------

    def open(self, answer: CreditAnswer) -> None:
        """Apply the answer to CCR-Initial."""
        self._apply(answer)

    async def close(self, reason: str) -> None:
        """End access and report the last usage; return when the charging server has answered.

        Args:
            reason: announced to the modem.
        """
        self._end_access()
        self._announce(reason)
        # Credit control sends one request at a time, so this waits for the answer to an open request first.
        await self.credit.settle()

    def ask_anew(self) -> None:
        """Report usage and ask for credit at once, on a Re-Auth-Request of the charging server (RFC 8506, 5.5)."""
        self._ask(ReportingReason.FORCED_REAUTHORISATION)

    def abort(self) -> None:
        """End the bearer on an Abort-Session-Request of the charging server (RFC 6733, 8.5)."""
        if self.access is not Access.ENDED:
            self._terminate("the network ended it")

    def _runs_low(self) -> None:
        if self._final is not None:
            if not self.available():
                # Not at once: the write that has taken the last octets may still give some back.
                self._loop.call_soon(self._check_exhausted)
        elif self.access is Access.FULL:
            self._ask(ReportingReason.QUOTA_EXHAUSTED)

    def _check_exhausted(self) -> None:
        """Make the cut-off at the last octet of a final grant and report it (Final-Unit-Action, RFC 8506 8.35)."""
        if self._final is None or self.access is not Access.FULL or self._lapsed or self._asking:
            return
        if self.credit.limit_octets > self._count.used:
            return
        if self._final is FinalUnitAction.RESTRICT_ACCESS:
            self.access = Access.CONTROL_ONLY
            self._cut_flows()
            self._ask(ReportingReason.FINAL)
            self._loop.call_later(_ANNOUNCE_SECONDS, self._announce, "used up")
        else:
            self._terminate("used up")

    def _ask(self, reason: ReportingReason) -> None:
        if self._asking is None and self.access is not Access.ENDED:
            self._asking = self._loop.create_task(self._update(reason))

    async def _update(self, reason: ReportingReason) -> None:
        patience = self.credit.patience_seconds
        timer = None if patience is None else self._loop.call_later(patience, self._is_unanswered)
        try:
            answer = await self.credit.update(reason)
        finally:
            self._asking = None
            if timer is not None:
                timer.cancel()
        if self.access is not Access.ENDED:
            self._apply(answer)

    def _is_unanswered(self) -> None:
        """End the bearer because CC-Failure-Handling allows no service while the charging server does not answer.

        The open request is still repeated, and the usage is reported when the server answers again.
        """
        if self.access is not Access.ENDED:
            self._terminate("the charging server does not answer")

    def _apply(self, answer: CreditAnswer) -> None:
        """Set access, grant and timer as the charging server's answer says."""
        self._lapsed = False
        self._final = answer.final_action
        self._threshold = 0 if answer.final_action is not None else answer.granted_octets // 2
        self._set_timer(answer.validity_seconds)
        if not answer.is_success:
            self._terminate(f"the network refused more ({answer.result_code})")
        elif answer.granted_octets:
            self.access = Access.FULL
            self._announce("granted")
            self._wake()
            if not self.available():
                self._runs_low()
        elif answer.final_action is FinalUnitAction.RESTRICT_ACCESS:
            self._restrict(answer)
        elif answer.final_action is not None:
            self._terminate("used up")
        else:
            # Success without a grant and without an end: nothing may flow. Ask again, but not at once.
            self._set_timer(answer.validity_seconds or 1)
            self._lapsed = True

    def _restrict(self, answer: CreditAnswer) -> None:
        if self.access is Access.FULL:
            self.access = Access.CONTROL_ONLY
            self._cut_flows()
        self._final = None
        self._set_timer(answer.validity_seconds or self._retry_seconds)
        self._announce("used up or on hold")

    def _set_timer(self, seconds: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self._validity_over)

    def _validity_over(self) -> None:
        """Ask for a new grant (Reporting-Reason VALIDITY_TIME: TS 32.299, 7.2.175), and block the old one."""
        if self.access is Access.FULL:
            self._lapsed = True
        self._ask(ReportingReason.VALIDITY_TIME)

    def _terminate(self, reason: str) -> None:
        """End the bearer by decision of the network; announce it when the charging server has the last usage."""
        self._end_access()

        async def end() -> None:
            self._loop.call_later(_ANNOUNCE_SECONDS, self._announce, reason)
            await self.credit.settle()
            self._announce(reason)

        self._ending = self._loop.create_task(end())

    def _end_access(self) -> None:
        self.access = Access.ENDED
        self._set_timer(None)
        self._waiting.clear()
        self._cut_flows()

    def _cut_flows(self) -> None:
        """Cut off every flow: nothing more is relayed for the bearer."""
        self._waiting.clear()
        for flow in list(self._flows):
            flow.cut()

    def _announce(self, reason: str) -> None:
        if self.access is not self._announced:
            self._announced = self.access
            _log.info("access changed", bearer=self.bearer_id, access=str(self.access), reason=reason)
            self.changed(self.access, reason)

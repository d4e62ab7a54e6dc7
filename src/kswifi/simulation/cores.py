"""Packet cores as they behave: profiles, and one bearer's life between a user plane and Gy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from kswifi.diameter.constants import CcRequestType, Command, ReportingReason, ResultCode, SubscriptionIdType
from kswifi.diameter.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.header import decode_header
from kswifi.diameter.server_requests import ServerRequest, ServerRequestAnswer
from kswifi.diameter.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId
from kswifi.kernel.clock import unix_seconds
from kswifi.simulation.network import Link
from kswifi.simulation.reference import Reference
from kswifi.simulation.server import REALM, SimulatedServer
from kswifi.simulation.world import World

_AGAIN_SECONDS: Final = 1.5
_REPORT_SECONDS: Final = 0.05
"""How soon a core that may have several reports under way sends the next one."""
_FAREWELL_SECONDS: Final = 0.1
_REQUESTED: Final = ServiceUnit(cc_total_octets=1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a core behaves.

    ``blocking``: its user plane forwards nothing beyond a grant, nor while a report is under way.
    """

    name: str
    blocking: bool
    restricts: bool = False
    """Keeps a bearer for KSWiFi's address alone, instead of ending it."""
    outstanding: int = 1
    serves_re_auth: bool = False
    serves_abort: bool = False
    forgets_termination: bool = False
    """A re-attach ends the old bearer without a word; now and then its usage comes later."""
    orderly: bool = False
    """Sends no TERMINATION while a report is unanswered, and opens no bearer while a line's last one has any."""
    absurd_time: bool = False
    cut_octets: int = 0
    """What still passes at the end of the last grant."""


PROFILES: Final = (
    Profile(
        name="gateway",
        blocking=True,
        restricts=True,
        serves_re_auth=True,
        serves_abort=True,
        orderly=True,
    ),
    Profile(name="blocking", blocking=True, serves_re_auth=True, orderly=True),
    Profile(name="open5gs", blocking=False, absurd_time=True, forgets_termination=True, cut_octets=2_200),
    Profile(name="five-outstanding", blocking=False, outstanding=5, absurd_time=True, cut_octets=6_000),
    Profile(name="forgetful", blocking=True, forgets_termination=True),
)


@dataclass(slots=True)
class Pending:
    """A request that awaits its answer."""

    request: CreditControlRequest
    used: int


@dataclass(slots=True)
class Bearer:
    """One bearer: what was granted, what passed, what was not reported yet. Seconds are simulated ones."""

    session_id: str
    imsi: str
    charging_id: int
    octets_per_second: int
    flowed_at: float
    is_open: bool = False
    """Octets may pass."""
    is_over: bool = False
    number: int = 0
    newest_answer: int = -1
    rest: int = 0
    unreported: int = 0
    delivered: int = 0
    passed_at: float = 0.0
    """When octets passed last."""
    is_final: bool = False
    ask_at: float = 0.0
    """When the Validity-Time ends."""
    pending: dict[int, Pending] = field(default_factory=dict)
    ended_because: int = 0
    """The Result-Code that ended it, if one did."""
    plan: int = 0


class Core:
    """A gateway with its bearers, behind one connection."""

    def __init__(self, world: World, server: SimulatedServer, profile: Profile, reference: Reference) -> None:
        self.profile = profile
        self.host = f"{profile.name}.{REALM}"
        self.bearers: list[Bearer] = []
        self.ended: Callable[[Bearer], None] = lambda _: None
        self._world = world
        self._reference = reference
        self._sent: dict[int, tuple[Bearer, CreditControlRequest]] = {}
        """By End-to-End Identifier, answered ones too: an answer may come twice."""
        self.link = Link(world, server, self.host, self._receive, self._send_all)
        self.link.overhear = self._overhear
        self._identifier = 0

    @property
    def is_idle(self) -> bool:
        """Tell whether every bearer is over and every request answered."""
        return all(it.is_over and not it.pending for it in self.bearers)

    def attach(self, imsi: str, octets_per_second: int) -> Bearer:
        """Open a bearer."""
        count = len(self.bearers) + 1
        bearer = Bearer(f"{self.host};1;{count}", imsi, count, octets_per_second, self._world.time)
        self.bearers.append(bearer)
        self._request(bearer, CcRequestType.INITIAL)
        return bearer

    def change_rate(self, bearer: Bearer, octets_per_second: int) -> None:
        """Let its user want another pace from now on."""
        self._flow(bearer)
        bearer.octets_per_second = octets_per_second
        self._plan(bearer)

    def terminate(self, bearer: Bearer) -> None:
        """End a bearer properly."""
        if bearer.is_over:
            return
        if self.profile.orderly and bearer.pending:
            self._world.after(_FAREWELL_SECONDS, partial(self.terminate, bearer))
            return
        self._flow(bearer)
        bearer.is_open, bearer.is_over = False, True
        if bearer.newest_answer >= 0 or bearer.pending:
            self._request(bearer, CcRequestType.TERMINATION)
        self.ended(bearer)

    def abandon(self, bearer: Bearer, late_seconds: float | None) -> None:
        """End a bearer without a word; its TERMINATION comes late, or never, and then its last usage is lost."""
        self._flow(bearer)
        bearer.is_open, bearer.is_over = False, True
        if late_seconds is not None:
            self._world.after(late_seconds, partial(self._request, bearer, CcRequestType.TERMINATION))
        else:
            bearer.delivered -= bearer.unreported

    # The user plane

    def _flow(self, bearer: Bearer) -> None:
        """Let pass what passed since it was last looked at."""
        elapsed = self._world.time - bearer.flowed_at
        bearer.flowed_at = self._world.time
        if not bearer.is_open:
            return
        octets = round(elapsed * bearer.octets_per_second)
        if self.profile.blocking:
            octets = 0 if bearer.pending else min(octets, bearer.rest)
        elif bearer.is_final:
            octets = max(0, min(octets, bearer.rest + self.profile.cut_octets))
        if octets:
            bearer.passed_at = self._world.time
        bearer.rest -= octets
        bearer.unreported += octets
        bearer.delivered += octets

    def _plan(self, bearer: Bearer) -> None:
        """Look at it again when its grant or its Validity-Time ends."""
        bearer.plan += 1
        seconds = max(0.0, bearer.ask_at - self._world.time)
        if bearer.is_open and bearer.octets_per_second:
            rest = bearer.rest + (self.profile.cut_octets if bearer.is_final else 0)
            seconds = min(seconds, max(0.0, rest / bearer.octets_per_second) + 1e-6)
        if bearer.pending:
            seconds = max(seconds, _REPORT_SECONDS)
        self._world.after(seconds, partial(self._look, bearer, bearer.plan))

    def _look(self, bearer: Bearer, plan: int) -> None:
        if bearer.is_over or plan != bearer.plan or bearer.newest_answer < 0:
            return
        self._flow(bearer)
        used_up = bearer.is_open and bearer.rest <= 0
        if used_up and bearer.is_final and not self.profile.restricts:
            self.terminate(bearer)
            return
        if len(bearer.pending) < self.profile.outstanding and (used_up or self._world.time >= bearer.ask_at):
            if used_up and bearer.is_final:
                reason = ReportingReason.FINAL
            else:
                reason = ReportingReason.QUOTA_EXHAUSTED if used_up else ReportingReason.VALIDITY_TIME
            self._request(bearer, CcRequestType.UPDATE, reason)
        self._plan(bearer)

    # Gy

    def _request(self, bearer: Bearer, kind: CcRequestType, reason: ReportingReason | None = None) -> None:
        used, bearer.unreported = bearer.unreported, 0
        number, bearer.number = bearer.number, bearer.number + 1
        self._identifier += 1
        request = CreditControlRequest(
            session_id=bearer.session_id,
            origin_host=self.host,
            origin_realm=REALM,
            destination_realm=REALM,
            cc_request_type=kind,
            cc_request_number=number,
            event_timestamp=unix_seconds(self._world.now()),
            subscription_ids=(SubscriptionId(SubscriptionIdType.IMSI, bearer.imsi),),
            termination_cause=1 if kind is CcRequestType.TERMINATION else None,
            services=(self._units(kind, used, reason),),
            ps_information=PsInformation(called_station_id="internet", charging_id=bearer.charging_id),
            end_to_end=self._identifier,
            hop_by_hop=self._identifier,
        )
        bearer.pending[number] = Pending(request, used)
        self._sent[self._identifier] = (bearer, request)
        self._reference.sent(request)
        self.link.send(request.encode())
        self._world.after(_AGAIN_SECONDS, partial(self._send_again, bearer, number))

    def _units(self, kind: CcRequestType, used: int, reason: ReportingReason | None) -> ServiceCreditControl:
        beginning = kind is CcRequestType.INITIAL
        seconds = unix_seconds(self._world.now()) if self.profile.absurd_time else None
        unit = ServiceUnit(cc_input_octets=used // 10, cc_output_octets=used - used // 10, cc_time=seconds)
        return ServiceCreditControl(
            requested=None if kind is CcRequestType.TERMINATION else _REQUESTED,
            used=() if beginning else (unit,),
            reporting_reason=ReportingReason.FINAL if kind is CcRequestType.TERMINATION else reason,
        )

    def _send_again(self, bearer: Bearer, number: int) -> None:
        if number in bearer.pending:
            self._send(bearer.pending[number].request)
            self._world.after(_AGAIN_SECONDS, partial(self._send_again, bearer, number))

    def _send_all(self) -> None:
        """After a reconnection: what is unanswered goes out again."""
        for bearer in self.bearers:
            for pending in bearer.pending.values():
                self._send(pending.request)

    def _send(self, request: CreditControlRequest) -> None:
        octets = bytearray(request.encode())
        octets[4] |= 0x10  # the T flag (RFC 6733, 3)
        self.link.send(bytes(octets))

    def _overhear(self, message: bytes) -> None:
        header = decode_header(message)
        if not header.is_request:
            self._reference.heard(self._sent[header.end_to_end][1], CreditControlAnswer.decode(message))

    def _receive(self, message: bytes) -> None:
        header = decode_header(message)
        if header.is_request:
            self._serve(ServerRequest.decode(message))
            return
        bearer, request = self._sent[header.end_to_end]
        number = request.cc_request_number
        answer = CreditControlAnswer.decode(message)
        if number not in bearer.pending or answer.result_code == ResultCode.TOO_BUSY:
            return
        self._flow(bearer)
        del bearer.pending[number]
        if not bearer.is_over and number > bearer.newest_answer:
            bearer.newest_answer = number
            self._take(bearer, number, answer)

    def _take(self, bearer: Bearer, number: int, answer: CreditControlAnswer) -> None:
        if not answer.is_success:
            bearer.ended_because = answer.result_code
            if number:
                self.terminate(bearer)
            else:
                bearer.is_over = True
                self.ended(bearer)
            return
        (service,) = answer.services
        granted = 0 if service.granted is None else service.granted.cc_total_octets or 0
        later = sum(it.used for at, it in bearer.pending.items() if at > number)
        bearer.is_open = granted > 0
        bearer.rest = granted - later - bearer.unreported
        bearer.is_final = service.final_unit is not None
        bearer.ask_at = self._world.time + (service.validity_seconds or 600)
        self._plan(bearer)

    def _serve(self, request: ServerRequest) -> None:
        """Answer a Re-Auth or an Abort-Session as this core does."""
        abort = request.command_code is Command.ABORT_SESSION
        result = ResultCode.SUCCESS
        if abort and not self.profile.serves_abort:
            result = ResultCode.COMMAND_UNSUPPORTED
        answer = ServerRequestAnswer(
            command_code=request.command_code,
            session_id=request.session_id,
            result_code=result,
            origin_host=self.host,
            origin_realm=REALM,
            hop_by_hop=request.hop_by_hop,
            end_to_end=request.end_to_end,
        )
        self.link.send(answer.encode())
        for bearer in self.bearers:
            if bearer.session_id == request.session_id and not bearer.is_over and bearer.newest_answer >= 0:
                self._obey(bearer, abort=abort)

    def _obey(self, bearer: Bearer, *, abort: bool) -> None:
        if abort and self.profile.serves_abort:
            self.terminate(bearer)
        elif not abort and self.profile.serves_re_auth and len(bearer.pending) < self.profile.outstanding:
            self._flow(bearer)
            self._request(bearer, CcRequestType.UPDATE, ReportingReason.FORCED_REAUTHORISATION)
            self._plan(bearer)

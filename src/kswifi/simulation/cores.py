"""Simulated packet cores: the life of a bearer between a user plane and Gy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from math import inf
from typing import Final

from kswifi.diameter.constants import (
    CcRequestType,
    Command,
    ReportingReason,
    RequestedAction,
    ResultCode,
    SubscriptionIdType,
)
from kswifi.diameter.header import decode_header
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.server_requests import ServerRequest, ServerRequestAnswer
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId
from kswifi.kernel.clock import unix_seconds
from kswifi.simulation.network import Link
from kswifi.simulation.profiles import Profile
from kswifi.simulation.reference import Reference
from kswifi.simulation.server import REALM, SimulatedServer
from kswifi.simulation.world import World

_AGAIN_SECONDS: Final = 1.5
_REPORT_SECONDS: Final = 0.05
"""The pause after which a core that may have several reports outstanding sends the next one."""
_IDLE_SECONDS: Final = 1_000.0
_FAREWELL_SECONDS: Final = 0.1
_REQUESTED: Final = ServiceUnit(cc_total_octets=1_000_000)


@dataclass(slots=True)
class Pending:
    """A request without an answer yet."""

    request: CreditControlRequest
    used: int


@dataclass(slots=True)
class Bearer:
    """One bearer: octets granted, passed and not yet reported. Seconds are simulated.

    With several rating groups there is one of these objects for each group; they share the session and its
    request numbers.
    """

    session_id: str
    imsi: str
    apn: str
    charging_id: int
    octets_per_second: int
    flowed_at: float
    rating_group: int | None = None
    numbers: Iterator[int] = field(default_factory=count)
    is_open: bool = False
    """Whether octets may pass."""
    is_over: bool = False
    newest_answer: int = -1
    rest: int = 0
    unreported: int = 0
    delivered: int = 0
    passed_at: float = 0.0
    """When octets last passed."""
    is_final: bool = False
    ask_at: float = 0.0
    """When the Validity-Time ends."""
    pending: dict[int, Pending] = field(default_factory=dict)
    ended_because: int = 0
    """The Result-Code that ended it; 0 if none did."""
    plan: int = 0


class Core:
    """A gateway with its bearers and one connection to the server."""

    def __init__(self, world: World, server: SimulatedServer, profile: Profile, reference: Reference) -> None:
        self.profile = profile
        self.host = f"{profile.name}.{REALM}"
        self.bearers: list[Bearer] = []
        self.events: dict[int, CreditControlRequest] = {}
        """Events without an answer yet, by End-to-End Identifier."""
        self.ended: Callable[[Bearer], None] = lambda _: None
        self._world = world
        self._reference = reference
        self._sent: dict[int, tuple[Bearer | None, CreditControlRequest]] = {}
        """All requests by End-to-End Identifier, answered ones too: an answer may arrive twice."""
        self.link = Link(world, server, self.host, self._receive, self._send_all)
        self.link.overhear = self._overhear
        self._identifier = 0
        self._charging_id = 0

    @property
    def is_idle(self) -> bool:
        """Whether every bearer has ended and every request is answered."""
        return not self.events and all(it.is_over and not it.pending for it in self.bearers)

    def attach(self, imsi: str, octets_per_second: int, apn: str = "internet") -> Bearer:
        """Open a bearer for a subscriber who uses this many octets per second."""
        number, numbers, now = len(self.bearers) + 1, count(), self._world.time
        session_id = f"{self.host};1;{number}"
        charging_id = self._charging_id = self._charging_id + 1
        made = [
            Bearer(session_id, imsi, apn, charging_id, octets_per_second, now, rating_group=group, numbers=numbers)
            for group in self.profile.rating_groups or (None,)
        ]
        self.bearers += made
        self._request(made[0], CcRequestType.INITIAL)
        return made[0]

    def request_event(self, imsi: str, action: RequestedAction, octets: int) -> None:
        """Send a single event: debit, refund, balance check or price enquiry (RFC 8506, 6)."""
        self._identifier += 1
        request = CreditControlRequest(
            session_id=f"{self.host};event;{self._identifier}",
            origin_host=self.host,
            origin_realm=REALM,
            destination_realm=REALM,
            cc_request_type=CcRequestType.EVENT,
            cc_request_number=0,
            requested_action=action,
            event_timestamp=unix_seconds(self._world.now()),
            subscription_ids=(SubscriptionId(SubscriptionIdType.IMSI, imsi),),
            services=(ServiceCreditControl(requested=ServiceUnit(cc_total_octets=octets)),),
            end_to_end=self._identifier,
            hop_by_hop=self._identifier,
        )
        self.events[self._identifier] = request
        self._sent[self._identifier] = (None, request)
        self._reference.sent(request)
        self.link.send(request.encode())
        self._world.after(_AGAIN_SECONDS, partial(self._send_event_again, self._identifier))

    def together(self, bearer: Bearer) -> list[Bearer]:
        """Return all groups of the bearer's session, itself included."""
        return [it for it in self.bearers if it.session_id == bearer.session_id]

    def change_rate(self, bearer: Bearer, octets_per_second: int) -> None:
        """Set how many octets per second the user wants from now on."""
        self._flow(bearer)
        bearer.octets_per_second = octets_per_second
        self._plan(bearer)

    def terminate(self, bearer: Bearer) -> None:
        """End a bearer with all its groups, by a TERMINATION."""
        if bearer.is_over:
            return
        all_of_it = self.together(bearer)
        if self.profile.orderly and any(it.pending for it in all_of_it):
            self._world.after(_FAREWELL_SECONDS, partial(self.terminate, bearer))
            return
        self._close(all_of_it)
        if any(it.newest_answer >= 0 or it.pending for it in all_of_it):
            self._request(bearer, CcRequestType.TERMINATION)
        self.ended(bearer)

    def abandon(self, bearer: Bearer, late_seconds: float | None) -> None:
        """End a bearer without an immediate TERMINATION.

        ``late_seconds``: when the TERMINATION follows; None means never, and the last usage is then lost.
        """
        all_of_it = self.together(bearer)
        self._close(all_of_it)
        if late_seconds is not None:
            self._world.after(late_seconds, partial(self._request, bearer, CcRequestType.TERMINATION))
        else:
            for it in all_of_it:
                it.delivered -= it.unreported

    def restart(self) -> None:
        """Lose every bearer and all unanswered requests. Charging-Ids begin again; Session-Ids are not reused."""
        living = [it for it in self.bearers if not it.is_over]
        self._close(living)
        for it in self.bearers:
            if not it.is_over or it in living:
                it.delivered -= it.unreported
                it.unreported = 0
            for number, pending in it.pending.items():
                self._reference.given_up((it.session_id, number), pending.used)
            it.pending.clear()
            it.plan += 1
        for request in self.events.values():
            self._reference.event_given_up((request.session_id, request.cc_request_number))
        self.events.clear()
        self._charging_id = 0
        self.link.restart()
        for it in {bearer.session_id: bearer for bearer in living}.values():
            self.ended(it)

    def _close(self, bearers: list[Bearer]) -> None:
        for it in bearers:
            self._flow(it)
            it.is_open, it.is_over = False, True

    # User plane

    def _flow(self, bearer: Bearer) -> None:
        """Count the octets that passed since the last call."""
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
        """Schedule the next check for the end of the grant or of the Validity-Time."""
        bearer.plan += 1
        seconds = max(0.0, min(bearer.ask_at - self._world.time, _IDLE_SECONDS))
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
        number, beginning = next(bearer.numbers), kind is CcRequestType.INITIAL
        reporting = self.together(bearer) if kind is CcRequestType.TERMINATION else [bearer]
        services = tuple(self._units(it, kind, reason) for it in reporting)
        used = sum(it.used_octets for it in services)
        for it in reporting:
            it.unreported = 0
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
            services=() if beginning and self.profile.rating_groups else services,
            multiple_services_indicator=1 if beginning and self.profile.rating_groups else None,
            ps_information=PsInformation(called_station_id=bearer.apn, charging_id=bearer.charging_id),
            end_to_end=self._identifier,
            hop_by_hop=self._identifier,
        )
        bearer.pending[number] = Pending(request, used)
        self._sent[self._identifier] = (bearer, request)
        self._reference.sent(request)
        self.link.send(request.encode())
        self._world.after(_AGAIN_SECONDS, partial(self._send_again, bearer, number))

    def _units(self, bearer: Bearer, kind: CcRequestType, reason: ReportingReason | None) -> ServiceCreditControl:
        beginning, used = kind is CcRequestType.INITIAL, bearer.unreported
        seconds = unix_seconds(self._world.now()) if self.profile.absurd_time else None
        unit = ServiceUnit(cc_input_octets=used // 10, cc_output_octets=used - used // 10, cc_time=seconds)
        return ServiceCreditControl(
            rating_group=bearer.rating_group,
            requested=None if kind is CcRequestType.TERMINATION else _REQUESTED,
            used=() if beginning else (unit,),
            reporting_reason=ReportingReason.FINAL if kind is CcRequestType.TERMINATION else reason,
        )

    def _send_again(self, bearer: Bearer, number: int) -> None:
        if number in bearer.pending:
            self._send(bearer.pending[number].request)
            self._world.after(_AGAIN_SECONDS, partial(self._send_again, bearer, number))

    def _send_all(self) -> None:
        """Send all unanswered requests again, after a reconnection."""
        for bearer in self.bearers:
            for pending in bearer.pending.values():
                self._send(pending.request)
        for request in self.events.values():
            self._send(request)

    def _send_event_again(self, identifier: int) -> None:
        if identifier in self.events:
            self._send(self.events[identifier])
            self._world.after(_AGAIN_SECONDS, partial(self._send_event_again, identifier))

    def _send(self, request: CreditControlRequest) -> None:
        octets = bytearray(request.encode())
        octets[4] |= 0x10  # the T flag (RFC 6733, 3)
        self.link.send(bytes(octets))

    def _overhear(self, message: bytes) -> None:
        header = decode_header(message)
        if not header.is_request:
            request = self._sent[header.end_to_end][1]
            self._reference.heard(request, CreditControlAnswer.decode(message), unix_seconds(self._world.now()))

    def _receive(self, message: bytes) -> None:
        header = decode_header(message)
        if header.is_request:
            self._serve(ServerRequest.decode(message))
            return
        bearer, request = self._sent[header.end_to_end]
        number = request.cc_request_number
        answer = CreditControlAnswer.decode(message)
        if answer.result_code == ResultCode.TOO_BUSY:
            return
        if bearer is None:
            self.events.pop(header.end_to_end, None)
            return
        if number not in bearer.pending:
            return
        self._flow(bearer)
        del bearer.pending[number]
        if not bearer.is_over and number > bearer.newest_answer:
            bearer.newest_answer = number
            self._take(bearer, number, answer)

    def _take(self, bearer: Bearer, number: int, answer: CreditControlAnswer) -> None:
        if not answer.is_success:
            bearer.ended_because = answer.result_code
            self._stop(bearer)
            if number:
                self.terminate(bearer)
            else:
                self._close(self.together(bearer))
                self.ended(bearer)
            return
        if not answer.services:  # an INITIAL that named no group: ask for each group now
            for it in self.together(bearer):
                it.newest_answer = number
                self._request(it, CcRequestType.UPDATE)
            return
        (service,) = answer.services
        if service.result_code not in (None, ResultCode.SUCCESS):
            self._lose_group(bearer)
            return
        granted = 0 if service.granted is None else service.granted.cc_total_octets or 0
        later = sum(it.used for at, it in bearer.pending.items() if at > number)
        bearer.is_open = granted > 0
        bearer.rest = granted - later - bearer.unreported
        bearer.is_final = service.final_unit is not None
        bearer.ask_at = self._world.time + (service.validity_seconds or 600)
        self._plan(bearer)

    @staticmethod
    def _stop(bearer: Bearer) -> None:
        bearer.is_open, bearer.ask_at = False, inf
        bearer.plan += 1

    def _lose_group(self, bearer: Bearer) -> None:
        """Stop a group that was refused, until a Re-Auth; when no group is left, end the bearer."""
        self._stop(bearer)
        if not any(it.is_open or it.pending for it in self.together(bearer)):
            self.terminate(bearer)

    def _serve(self, request: ServerRequest) -> None:
        """Answer a Re-Auth-Request or an Abort-Session-Request as this core's profile does."""
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

"""Gy: pass Credit-Control-Requests to the charging service, and send its answers as Credit-Control-Answers."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.re_auth import Told
from kswifi.charging.service import ChargingService
from kswifi.diameter.constants import APPLICATION_CREDIT_CONTROL, CcRequestType, Command
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import Header
from kswifi.diameter.learnt import LearntReader
from kswifi.diameter.messages.base import encode_refusal
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.server_requests import ServerRequest, ServerRequestAnswer
from kswifi.servers.diameter.application import NodeIdentity, Reply, Sender
from kswifi.servers.diameter.delayed_refusals import DelayedRefusals
from kswifi.servers.diameter.gy_answers import GyAnswers
from kswifi.servers.diameter.gy_ordinary import OrdinaryRequests
from kswifi.servers.diameter.node import Answered as PeerAnswered
from kswifi.servers.diameter.node import BuildRequest

SWEEP_SECONDS: Final = 5.0
Ask: TypeAlias = Callable[[str, BuildRequest, PeerAnswered], bool]
"""Sends a request to a peer: ``DiameterNode.ask``."""

_log: Final = logging.getLogger(__name__)


class GyApplication:
    """Diameter credit control (RFC 8506) as profiled by TS 32.299 for packet data."""

    application_id = APPLICATION_CREDIT_CONTROL
    vendor_id = None
    command_codes = frozenset({int(Command.CREDIT_CONTROL)})

    def __init__(
        self,
        service: ChargingService,
        identity: NodeIdentity,
        sweep_seconds: float = SWEEP_SECONDS,
        refusals: DelayedRefusals | None = None,
    ) -> None:
        """Set up the application; ``refusals`` delays refusals of INITIAL, None sends them at once."""
        self._service = service
        self._identity = identity
        self._requests = LearntReader()
        self._answers = GyAnswers(identity, service.policy)
        self.ordinary = OrdinaryRequests(service.ordinary, identity, service.policy, self._answers)
        self._sweep_seconds = sweep_seconds
        self._refusals = DelayedRefusals(0) if refusals is None else refusals
        self._sweep: asyncio.TimerHandle | None = None
        self._ask: Ask | None = None

    def handle(self, header: Header, message: bytes, reply: Reply, sender: Sender) -> None:
        """Charge one request; raises DiameterError if it is refused before anything was applied."""
        layout = self._requests.find(message)
        if layout is not None:
            report = self.ordinary.take(layout, message, reply, sender)
            if report is not None:
                if report.closes:
                    self._refusals.drop(report.origin_host, report.session_id)
                return
        request = self._requests.read_by(layout, message)
        sender.check_origin(request.origin_host)
        self._identity.check_destination(request.destination_realm, request.destination_host)
        kind = request.cc_request_type
        state_id = None if sender.is_agent else sender.origin_state_id
        if kind is CcRequestType.INITIAL and self._refusals.concerns(request.origin_host):
            answered = partial(self._answer_initial, request, reply, sender)
            try:
                self._service.handle(request, answered, state_id)
            except DiameterError as error:
                self._put_off(request, encode_refusal(message, header, self._identity.origin, error), reply, sender)
            return
        if kind is CcRequestType.TERMINATION:
            self._refusals.drop(request.origin_host, request.session_id)
        self._service.handle(request, partial(self._answer, request, reply), state_id)

    def peer_changed(self, origin_host: str, state_ids: frozenset[int]) -> None:
        """Pass on the Origin-State-Ids of a peer's connections: a higher one marks its older sessions as lost."""
        self._service.peer_changed(origin_host, state_ids)

    def connect(self, ask: Ask) -> None:
        """Set the function that sends requests to peers, and register for the charging service's notices."""
        self._ask = ask
        self._service.notices.network = self

    def re_authorise(self, session_id: str, peer: str, told: Told) -> bool:
        """Send a Re-Auth-Request (RFC 8506, 5.5): the client has to report and ask anew now."""
        return self._send(Command.RE_AUTH, session_id, peer, told)

    def abort(self, session_id: str, peer: str, told: Told) -> bool:
        """Send an Abort-Session-Request (RFC 6733, 8.5): the client has to end the session."""
        return self._send(Command.ABORT_SESSION, session_id, peer, told)

    def _send(self, command: Command, session_id: str, peer: str, told: Told) -> bool:
        identity = self._identity

        def build(realm: str, hop_by_hop: int, end_to_end: int) -> bytes:
            return ServerRequest(
                command_code=command,
                session_id=session_id,
                origin_host=identity.origin_host,
                origin_realm=identity.origin_realm,
                destination_host=peer,
                destination_realm=realm,
                hop_by_hop=hop_by_hop,
                end_to_end=end_to_end,
            ).encode()

        def answered(message: bytes | None) -> None:
            try:
                told(None if message is None else ServerRequestAnswer.decode(message).result_code)
            except DiameterError as error:
                _log.warning("Diameter peer %s answered %s unreadably: %s", peer, command.name, error.message)
                told(None)

        return self._ask is not None and self._ask(peer, build, answered)

    def start(self) -> None:
        """Settle silent sessions now, and again every ``sweep_seconds``."""
        loop = asyncio.get_running_loop()
        self._service.sweep()
        self._sweep = loop.call_later(self._sweep_seconds, self.start)

    def close(self) -> None:
        """Stop settling silent sessions."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def flush(self) -> None:
        """Write the delayed refusals: the node is about to stop."""
        self._refusals.flush()

    def _answer(self, request: CreditControlRequest, reply: Reply, answer: ChargingAnswer) -> None:
        reply(self._answers.write(request, answer))

    def _answer_initial(
        self, request: CreditControlRequest, reply: Reply, sender: Sender, answer: ChargingAnswer
    ) -> None:
        written = self._answers.write(request, answer)
        if answer.refuses:
            self._put_off(request, written, reply, sender)
        else:
            reply(written)

    def _put_off(self, request: CreditControlRequest, answer: bytes, reply: Reply, sender: Sender) -> None:
        reply(b"")
        self._refusals.keep(request.origin_host, request.session_id, answer, sender.write)

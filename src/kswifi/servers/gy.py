"""Gy: Credit-Control-Requests handed to the charging service, its answers sent as Credit-Control-Answers."""

import asyncio
from functools import partial
from typing import Final

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.service import ChargingService
from kswifi.diameter.constants import APPLICATION_CREDIT_CONTROL, Command
from kswifi.diameter.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.header import Header
from kswifi.servers.application import NodeIdentity, Reply

SWEEP_SECONDS: Final = 5.0


class GyApplication:
    """Diameter credit control (RFC 8506) as TS 32.299 profiles it for packet data."""

    application_id = APPLICATION_CREDIT_CONTROL
    vendor_id = None
    command_codes = frozenset({int(Command.CREDIT_CONTROL)})

    def __init__(
        self, service: ChargingService, identity: NodeIdentity, sweep_seconds: float = SWEEP_SECONDS
    ) -> None:
        self._service = service
        self._identity = identity
        self._sweep_seconds = sweep_seconds
        self._sweep: asyncio.TimerHandle | None = None

    def handle(self, header: Header, message: bytes, reply: Reply) -> None:  # noqa: ARG002  # the port's shape
        """Charge one request; raises DiameterError where it is refused before anything was applied."""
        request = CreditControlRequest.decode(message)
        self._identity.check_destination(request.destination_realm, request.destination_host)
        self._service.handle(request, partial(self._answer, request, reply))

    def start(self) -> None:
        """Begin to settle, now and then, the sessions that nothing is heard of any more."""
        loop = asyncio.get_running_loop()
        self._service.sweep()
        self._sweep = loop.call_later(self._sweep_seconds, self.start)

    def close(self) -> None:
        """Stop settling."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _answer(self, request: CreditControlRequest, reply: Reply, answer: ChargingAnswer) -> None:
        reply(
            CreditControlAnswer(
                session_id=request.session_id,
                result_code=answer.result_code,
                origin_host=self._identity.origin_host,
                origin_realm=self._identity.origin_realm,
                cc_request_type=request.cc_request_type,
                cc_request_number=request.cc_request_number,
                services=answer.services,
                direct=answer.direct,
                error_message=answer.error_message,
                proxy_infos=request.proxy_infos,
                hop_by_hop=request.hop_by_hop,
                end_to_end=request.end_to_end,
                proxiable=request.proxiable,
            ).encode()
        )

"""The gateway's connection to the Diameter server: capabilities, watchdog, reconnection, and repeated requests.

A request may outlive its connection; the caller of ``ask`` just waits longer:

- If the connection is lost before the answer, the request is sent again on the next connection, with the T flag and
  the same End-to-End Identifier (RFC 6733, 5.5.4), by which the server recognises the repetition.
- If the connection stands but no answer comes, the request is sent again when Tx is over (RFC 8506, 13), at growing
  intervals.
- If that does not help, the connection is closed once per request, in case only this connection loses answers.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from kswifi.diameter.constants import (
    APPLICATION_CREDIT_CONTROL,
    APPLICATION_S6A,
    VENDOR_3GPP,
    Command,
    DisconnectCause,
    ResultCode,
)
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.framing import MessageFramer
from kswifi.diameter.header import FLAG_RETRANSMITTED, HEADER_OCTETS, Header, decode_header, encode_message
from kswifi.diameter.messages.base import (
    Capabilities,
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    PeerAnswer,
    VendorApplication,
)
from kswifi.diameter.messages.server_requests import ServerRequest, ServerRequestAnswer
from kswifi.lab.gateway.errors import DiameterUnavailableError

_log = structlog.get_logger(__name__)

_MOST_WAITING: Final = 1024
_READ_OCTETS: Final = 65_536
_CONNECT_SECONDS: Final = 5.0
_FIRST_BACK_OFF_SECONDS: Final = 0.1
_LONGEST_BACK_OFF_SECONDS: Final = 5.0
_REPETITIONS_OF_A_CONNECTION: Final = 2
_LONGEST_TX_SECONDS: Final = 60.0


class PeerLostError(Exception):
    """The connection to the Diameter server ended."""


@dataclass(slots=True)
class _Question:
    message: bytes
    end_to_end: int
    answer: asyncio.Future[bytes]
    was_sent: bool = False
    sent_on_connection: int = 0
    has_cost_connection: bool = False


class DiameterClient:
    """A client of one Diameter server, with one connection at a time.

    Args:
        host: of the server.
        port: of the server.
        origin_host: our Diameter identity.
        realm: our realm, and the server's.
        watchdog_seconds: silence after which a Device-Watchdog-Request is sent.
        tx_seconds: after how long an unanswered request is repeated.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        origin_host: str,
        realm: str,
        watchdog_seconds: float = 6.0,
        tx_seconds: float = 10.0,
    ) -> None:
        self._address = (host, port)
        self.origin_host = origin_host
        self.serve: Callable[[ServerRequest], ResultCode] = lambda _request: ResultCode.UNKNOWN_SESSION_ID
        """Carries out a request of the charging server for a ChargingSession, and returns the Result-Code."""
        self.realm = realm
        self._watchdog_seconds = watchdog_seconds
        self.tx_seconds = tx_seconds
        self._hop_by_hop = secrets.randbits(32)
        # RFC 6733, 3: the low 12 bits of the time, then 20 random bits, so that a restart does not repeat recent
        # ones.
        self._end_to_end = (int(time.time()) & 0xFFF) << 20 | secrets.randbits(20)
        self._questions: dict[int, _Question] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._heard = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection on which capabilities were exchanged."""
        return self._writer is not None

    def start(self) -> None:
        """Connect in the background, and reconnect whenever the connection is lost."""
        self._task = asyncio.get_running_loop().create_task(self._stay_connected())

    async def close(self) -> None:
        """Send Disconnect-Peer-Request and close. Open requests are cancelled."""
        if self._writer is not None:
            farewell = DisconnectPeerRequest(
                origin_host=self.origin_host,
                origin_realm=self.realm,
                disconnect_cause=DisconnectCause.REBOOTING,
                hop_by_hop=self._next_hop(),
                end_to_end=self._next_end(),
            )
            self._writer.write(farewell.encode())
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._writer.drain(), 1.0)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for question in self._questions.values():
            question.answer.cancel()

    async def ask(self, message: bytes) -> bytes:
        """Send a request and return its answer, over several connections if necessary.

        Args:
            message: an encoded request; its Hop-by-Hop and End-to-End Identifiers are replaced.

        Raises:
            DiameterUnavailableError: too many requests are waiting.
        """
        if len(self._questions) >= _MOST_WAITING:
            raise DiameterUnavailableError("too many requests wait for the Diameter server")
        question = _Question(message, self._next_end(), asyncio.get_running_loop().create_future())
        hop_by_hop = self._next_hop()
        self._questions[hop_by_hop] = question
        if self._writer is not None:
            self._send(self._writer, hop_by_hop, question)
        try:
            return await self._answer(hop_by_hop, question)
        finally:
            for key, found in list(self._questions.items()):
                if found is question:
                    del self._questions[key]

    async def _answer(self, hop_by_hop: int, question: _Question) -> bytes:
        """Wait for the answer, and repeat the request each time Tx is over."""
        tx_seconds = self.tx_seconds
        while True:
            await asyncio.wait((question.answer,), timeout=tx_seconds)
            if question.answer.done():
                return question.answer.result()
            tx_seconds = min(tx_seconds * 2, max(self.tx_seconds, _LONGEST_TX_SECONDS))
            if self._writer is None:
                continue  # the next connection sends it again
            _log.warning("a diameter request is not answered", repeated=question.sent_on_connection)
            if question.sent_on_connection > _REPETITIONS_OF_A_CONNECTION and not question.has_cost_connection:
                question.has_cost_connection = True
                self._writer.transport.abort()
            else:
                self._send(self._writer, hop_by_hop, question)

    async def _stay_connected(self) -> None:
        back_off = _FIRST_BACK_OFF_SECONDS
        while True:
            try:
                await self._one_connection()
            except (OSError, TimeoutError, DiameterError, PeerLostError) as error:
                if self._heard:
                    back_off = _FIRST_BACK_OFF_SECONDS
                _log.info("diameter connection lost", reason=str(error), again_in_seconds=back_off)
            self._heard = 0.0
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, _LONGEST_BACK_OFF_SECONDS)

    async def _one_connection(self) -> None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(*self._address)
        watchdog: asyncio.Task[None] | None = None
        try:
            framer = MessageFramer()
            early = await self._exchange_capabilities(reader, writer, framer)
            self._writer = writer
            self._heard = asyncio.get_running_loop().time()
            self._send_again(writer)
            watchdog = asyncio.get_running_loop().create_task(self._watch(writer))
            for message in early:
                self._take(message, writer)
            while octets := await reader.read(_READ_OCTETS):
                self._heard = asyncio.get_running_loop().time()
                for message in framer.feed(octets):
                    self._take(message, writer)
            raise PeerLostError("the server closed the connection")
        finally:
            self._writer = None
            if watchdog is not None:
                watchdog.cancel()
            writer.close()

    async def _exchange_capabilities(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framer: MessageFramer
    ) -> list[bytes]:
        """Exchange capabilities (CER and CEA: RFC 6733, 5.3); return messages that arrived after the CEA."""
        capabilities = Capabilities(
            origin_host=self.origin_host,
            origin_realm=self.realm,
            host_ip_addresses=(writer.get_extra_info("sockname")[0],),
            auth_application_ids=(APPLICATION_CREDIT_CONTROL,),
            vendor_applications=(VendorApplication(vendor_id=VENDOR_3GPP, application_id=APPLICATION_S6A),),
            supported_vendor_ids=(VENDOR_3GPP,),
        )
        request = CapabilitiesExchangeRequest(
            capabilities=capabilities, hop_by_hop=self._next_hop(), end_to_end=self._next_end()
        )
        writer.write(request.encode())
        async with asyncio.timeout(_CONNECT_SECONDS):
            messages: list[bytes] = []
            while not messages:
                octets = await reader.read(_READ_OCTETS)
                if not octets:
                    raise PeerLostError("the server closed the connection instead of answering the CER")
                messages = framer.feed(octets)
        answer = CapabilitiesExchangeAnswer.decode(messages[0])
        if answer.result_code != ResultCode.SUCCESS:
            raise PeerLostError(f"the server refused the gateway: {answer.result_code} {answer.error_message}")
        return messages[1:]

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        """Send a watchdog request when the server is silent; abort the connection if it stays silent (RFC 3539)."""
        loop = asyncio.get_running_loop()
        while True:
            silent = loop.time() - self._heard
            if silent < self._watchdog_seconds:
                await asyncio.sleep(self._watchdog_seconds - silent)
                continue
            request = DeviceWatchdogRequest(
                origin_host=self.origin_host,
                origin_realm=self.realm,
                hop_by_hop=self._next_hop(),
                end_to_end=self._next_end(),
            )
            sent = loop.time()
            writer.write(request.encode())
            await asyncio.sleep(self._watchdog_seconds)
            # Compare with the time of sending, not with a whole period: the sleep may have ended late.
            if self._heard < sent:
                _log.warning("the diameter server does not answer its watchdog")
                writer.transport.abort()
                return

    def _take(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        header = decode_header(message)
        if not header.is_request:
            question = self._questions.get(header.hop_by_hop)
            # Answers to watchdog requests have no waiting question; a second answer finds the future done.
            if question is not None and not question.answer.done():
                question.answer.set_result(message)
            return
        if header.command_code in (Command.DEVICE_WATCHDOG, Command.DISCONNECT_PEER):
            answer = PeerAnswer(
                command_code=header.command_code,
                result_code=ResultCode.SUCCESS,
                origin_host=self.origin_host,
                origin_realm=self.realm,
                hop_by_hop=header.hop_by_hop,
                end_to_end=header.end_to_end,
            )
            writer.write(answer.encode())
            if header.command_code == Command.DISCONNECT_PEER:
                raise PeerLostError("the server sent Disconnect-Peer-Request")
            return
        writer.write(self._serve(header, message))

    def _serve(self, header: Header, message: bytes) -> bytes:
        """Answer a Re-Auth- or Abort-Session-Request of the charging server (RFC 8506, 5.5; RFC 6733, 8.5)."""
        if header.command_code not in (Command.RE_AUTH, Command.ABORT_SESSION):
            return _unsupported(header, self.origin_host, self.realm)
        request = ServerRequest.decode(message)
        return ServerRequestAnswer(
            command_code=header.command_code,
            session_id=request.session_id,
            result_code=self.serve(request),
            origin_host=self.origin_host,
            origin_realm=self.realm,
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        ).encode()

    def _send_again(self, writer: asyncio.StreamWriter) -> None:
        for hop_by_hop, question in self._questions.items():
            if not question.answer.done():
                question.sent_on_connection = 0
                self._send(writer, hop_by_hop, question)

    def _send(self, writer: asyncio.StreamWriter, hop_by_hop: int, question: _Question) -> None:
        header = decode_header(question.message)
        flags = header.flags | (FLAG_RETRANSMITTED if question.was_sent else 0)
        stamped = header._replace(flags=flags, hop_by_hop=hop_by_hop, end_to_end=question.end_to_end)
        writer.write(encode_message(stamped, question.message[HEADER_OCTETS:]))
        question.was_sent = True
        question.sent_on_connection += 1

    def _next_hop(self) -> int:
        self._hop_by_hop = self._hop_by_hop + 1 & 0xFFFFFFFF
        return self._hop_by_hop

    def _next_end(self) -> int:
        self._end_to_end = self._end_to_end + 1 & 0xFFFFFFFF
        return self._end_to_end


def _unsupported(header: Header, origin_host: str, realm: str) -> bytes:
    """Return the answer to a request that this client does not support: 3001 (RFC 6733, 7.1.3)."""
    return PeerAnswer(
        command_code=header.command_code,
        result_code=ResultCode.COMMAND_UNSUPPORTED,
        origin_host=origin_host,
        origin_realm=realm,
        hop_by_hop=header.hop_by_hop,
        end_to_end=header.end_to_end,
    ).encode()

"""One connection of a peer: capabilities exchange, watchdog, disconnection, and requests passed to applications.

It follows RFC 6733, 5.6 for the accepting side. Answers of one loop turn leave in one write, and no request needs
a task or a future. A peer that does not read its answers, or has too many requests outstanding, is not read from
either, so the memory that a peer can use is bounded.
"""

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, cast

from kswifi.diameter.constants import APPLICATION_BASE, APPLICATION_RELAY, Command, DisconnectCause, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.framing import FramingError, MessageFramer
from kswifi.diameter.header import HEADER_OCTETS, Header, decode_header, peek_header
from kswifi.diameter.messages.base import (
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    PeerAnswer,
    encode_refusal,
)
from kswifi.kernel.listening import plain_address
from kswifi.servers.diameter.application import Sender

if TYPE_CHECKING:
    from kswifi.servers.diameter.node import DiameterNode

_log: Final = logging.getLogger(__name__)
_WRITE_HIGH_OCTETS: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimits:
    """The limits of a node for its peers, in seconds and counts."""

    max_connections: int = 256
    max_strangers: int = 64
    """Connections, among these, whose peers have not sent a CER yet."""
    max_outstanding: int = 1024
    """Unanswered requests of one connection; further ones stay unread in the kernel's buffers."""
    greeting_seconds: float = 5.0
    """The time in which a new peer must send its Capabilities-Exchange-Request."""
    watchdog_seconds: float = 30.0
    """Silence after which a DWR is sent, and the time in which it must be answered (RFC 3539, 3.4.1)."""
    farewell_seconds: float = 1.0
    max_asked: int = 1024
    """Unanswered requests of this node to all its peers; beyond it, none are sent."""
    answer_seconds: float = 10.0


class _State(Enum):
    AWAITING_CER = auto()
    OPEN = auto()
    LEAVING = auto()
    """No more requests are read; outstanding ones are still answered, then the connection closes."""


class PeerConnection(asyncio.Protocol):
    """A peer's connection over TCP or TLS; see the module."""

    def __init__(self, node: "DiameterNode") -> None:
        self._node = node
        self._limits = node.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._framer = MessageFramer()
        self._state = _State.AWAITING_CER
        self._application_ids: frozenset[int] = frozenset()
        self._answers: list[bytes] = []
        self._flush_is_due = False
        self._outstanding = 0
        self._write_blocked_since: float | None = None
        self._reading_paused = False
        self._began_at = self._heard_at = self._loop.time()
        self._watchdog_sent_at: float | None = None
        self._leaving_since: float | None = None
        self.origin_host: str | None = None
        """The peer's Origin-Host, after the capabilities exchange."""
        self.origin_realm = ""
        self.address = ""
        self.is_relay = False
        self.origin_state_id: int | None = None
        """The Origin-State-Id of the peer's CER (RFC 6733, 8.16)."""
        self._sender = Sender("")

    @property
    def is_open(self) -> bool:
        """Whether the capabilities exchange is done and the peer has not left."""
        return self._state is _State.OPEN

    @property
    def is_stranger(self) -> bool:
        """Whether the peer has not sent its CER yet."""
        return self._state is _State.AWAITING_CER

    @property
    def certified_names(self) -> frozenset[str] | None:
        """The DNS names of the peer's certificate in lower case; None on a connection without TLS."""
        certificate = self._transport.get_extra_info("peercert") if self._transport is not None else None
        if certificate is None:
            return frozenset() if self._is_tls else None
        return frozenset(name.lower() for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS")

    @property
    def _is_tls(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection; close it if there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH_OCTETS)
        self.address = plain_address(str((transport.get_extra_info("peername") or ("",))[0]))
        if not self._node.admit(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection. Answers that come later are dropped; the peer will repeat their requests."""
        self._transport = None
        self._state = _State.LEAVING
        self._answers.clear()
        self._node.forget(self)
        if self.origin_host is not None:
            _log.info("Diameter peer %s is gone%s", self.origin_host, f": {exc}" if exc else "")

    def data_received(self, data: bytes) -> None:
        """Handle the messages that these octets complete."""
        fault: FramingError | None = None
        try:
            messages = self._framer.feed(data)
        except FramingError as error:
            messages, fault = error.messages, error
        if messages:
            self._heard_at = self._loop.time()
            for message in messages:
                if self._state is _State.LEAVING:
                    return
                self._take(message)
        if fault is not None:
            self._give_up(fault)
        self._mind_reading()

    def eof_received(self) -> bool:
        """Answer outstanding requests before closing: a peer may close its sending half first."""
        self._leave()
        # A TLS connection cannot stay half open (asyncio): its close_notify ends both directions.
        return not self._is_tls and (self._outstanding > 0 or bool(self._answers))

    def pause_writing(self) -> None:
        """Stop reading while the peer does not read its answers."""
        self._write_blocked_since = self._loop.time()
        self._mind_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self._write_blocked_since = None
        self._mind_reading()

    # Called by the node

    def tick(self, now: float) -> None:
        """Send a DWR after silence; close a peer that sends no CER, does not answer a DWR, or does not read."""
        limits = self._limits
        if self._state is not _State.OPEN:
            self._end_late(now)
        elif self._write_blocked_since is not None:
            if now - self._write_blocked_since > limits.watchdog_seconds:
                self._abort("does not read its answers", "reading_slow")
        elif self._watchdog_sent_at is not None:
            if self._heard_at > self._watchdog_sent_at:
                self._watchdog_sent_at = None
            elif now - self._watchdog_sent_at > limits.watchdog_seconds and not self._reading_paused:
                self._abort("does not answer the watchdog", "watchdog_late")
        elif now - self._heard_at >= limits.watchdog_seconds:
            self._watchdog_sent_at = now
            identity = self._node.identity
            hop_by_hop, end_to_end = self._node.next_identifiers()
            self._write(
                DeviceWatchdogRequest(
                    origin_host=identity.origin_host,
                    origin_realm=identity.origin_realm,
                    origin_state_id=identity.origin_state_id,
                    hop_by_hop=hop_by_hop,
                    end_to_end=end_to_end,
                ).encode()
            )

    def _end_late(self, now: float) -> None:
        """Close a peer that sent no CER in time, or that leaves and does not read its last answers."""
        if self._leaving_since is None:
            if now - self._began_at > self._limits.greeting_seconds:
                self._abort("did not introduce itself", "head_late")
        elif now - self._leaving_since > self._limits.watchdog_seconds:
            self._abort("does not read its last answers", "reading_slow")

    def say_farewell(self) -> None:
        """Send a DPR: this node stops. The connection closes with the answer, or by ``abort``."""
        if self._state is not _State.OPEN:
            self.abort()
            return
        identity = self._node.identity
        hop_by_hop, end_to_end = self._node.next_identifiers()
        self._write(
            DisconnectPeerRequest(
                origin_host=identity.origin_host,
                origin_realm=identity.origin_realm,
                disconnect_cause=DisconnectCause.REBOOTING,
                hop_by_hop=hop_by_hop,
                end_to_end=end_to_end,
            ).encode()
        )

    def ask(self, message: bytes) -> None:
        """Send a request of this node; the node gets the answer."""
        self._write(message)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # Requests and answers

    def _take(self, message: bytes) -> None:
        try:
            header = decode_header(message)
        except DiameterError as error:
            self._refuse(message, peek_header(message), error)
            return
        if not header.is_request:
            if header.command_code == Command.DISCONNECT_PEER:
                self._leave()
            elif header.application_id != APPLICATION_BASE:
                self._node.take_answer(self, header, message)
            return
        if self._state is _State.AWAITING_CER and header.command_code != Command.CAPABILITIES_EXCHANGE:
            self._abort("spoke before introducing itself", "malformed")
            return
        try:
            if header.application_id == APPLICATION_BASE:
                self._take_base(header, message)
            else:
                self._hand_over(header, message)
        except DiameterError as error:
            self._refuse(message, header, error)

    def _hand_over(self, header: Header, message: bytes) -> None:
        application = self._node.applications.get(header.application_id)
        if application is None or header.application_id not in self._application_ids:
            raise DiameterError(
                ResultCode.APPLICATION_UNSUPPORTED, f"application {header.application_id} was not agreed on"
            )
        if header.command_code not in application.command_codes:
            raise DiameterError(ResultCode.COMMAND_UNSUPPORTED, f"command {header.command_code} is not served here")
        self._outstanding += 1
        try:
            application.handle(header, message, self._answer, self._sender)
        except DiameterError:
            self._outstanding -= 1
            raise
        except Exception:  # noqa: BLE001  # the edge: a request must be answered even after an internal error
            self._outstanding -= 1
            _log.exception("A Diameter request failed here")
            raise DiameterError(ResultCode.UNABLE_TO_COMPLY, "the request failed here") from None

    def _write_late(self, answer: bytes) -> None:
        """Write a deferred answer, unless the peer has left."""
        if self._state is _State.OPEN:
            self._write(answer)

    def _answer(self, answer: bytes) -> None:
        self._outstanding -= 1
        if answer:
            self._write(answer)
        if self._reading_paused:
            self._mind_reading()
        if self._state is _State.LEAVING:
            self._leave()

    def _refuse(self, message: bytes, header: Header, error: DiameterError) -> None:
        if header.is_request:
            self._node.refusals += 1
            self._write(encode_refusal(message, header, self._node.identity.origin, error))

    def _take_base(self, header: Header, message: bytes) -> None:
        if header.command_code == Command.CAPABILITIES_EXCHANGE:
            self._greet(message)
        elif header.command_code == Command.DEVICE_WATCHDOG:
            DeviceWatchdogRequest.decode(message)
            self._answer_peer(header)
        elif header.command_code == Command.DISCONNECT_PEER:
            DisconnectPeerRequest.decode(message)
            self._answer_peer(header)
            self._leave()
        else:
            raise DiameterError(ResultCode.COMMAND_UNSUPPORTED, f"command {header.command_code} is not served here")

    def _answer_peer(self, header: Header) -> None:
        identity = self._node.identity
        self._write(
            PeerAnswer(
                command_code=header.command_code,
                result_code=ResultCode.SUCCESS,
                origin_host=identity.origin_host,
                origin_realm=identity.origin_realm,
                origin_state_id=identity.origin_state_id,
                hop_by_hop=header.hop_by_hop,
                end_to_end=header.end_to_end,
            ).encode()
        )

    def _greet(self, message: bytes) -> None:
        """Answer the CER. A refused peer gets a CEA with the reason, and the connection closes (RFC 6733, 5.3)."""
        try:
            request = CapabilitiesExchangeRequest.decode(message)
            self._application_ids = self._node.check_peer(self, request.capabilities)
        except DiameterError:
            self._loop.call_soon(self._leave)
            raise
        answer = CapabilitiesExchangeAnswer(
            result_code=ResultCode.SUCCESS,
            capabilities=self._node.capabilities(self._local_address(), request.capabilities.origin_host),
            hop_by_hop=request.hop_by_hop,
            end_to_end=request.end_to_end,
        )
        self._write(answer.encode())
        self.origin_host = request.capabilities.origin_host
        self.origin_realm = request.capabilities.origin_realm
        self.is_relay = APPLICATION_RELAY in request.capabilities.application_ids
        self.origin_state_id = request.capabilities.origin_state_id
        is_agent = self._node.rules.is_agent(self.origin_host)
        self._sender = Sender(self.origin_host, is_agent, self.origin_state_id, self._write_late)
        self._state = _State.OPEN
        self._node.peer_changed(self.origin_host)
        _log.info("Diameter peer %s is here", self.origin_host)

    def _local_address(self) -> str:
        name = self._transport.get_extra_info("sockname") if self._transport is not None else None
        return str(name[0]) if name else "127.0.0.1"

    # Octets

    def _write(self, message: bytes) -> None:
        if self._transport is None:
            return
        self._answers.append(message)
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._answers and self._transport is not None:
            octets = b"".join(self._answers)
            self._answers.clear()
            self._transport.write(octets)

    def _mind_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        hold = self._write_blocked_since is not None or self._outstanding >= self._limits.max_outstanding
        if hold and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        elif not hold and self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _leave(self) -> None:
        """Close once all outstanding requests are answered and written."""
        self._state = _State.LEAVING
        if self._leaving_since is None:
            self._leaving_since = self._loop.time()
        if self._outstanding == 0 and self._transport is not None:
            self._flush()
            self._transport.close()

    def _give_up(self, fault: FramingError) -> None:
        """Close a stream that lost its frame; an open peer gets a refusal first."""
        self._node.closed["malformed"] += 1
        _log.warning("Diameter peer %s sent no message: %s", self.origin_host or "(unknown)", fault.message)
        if fault.header is not None and self._state is _State.OPEN:
            self._refuse(bytes(HEADER_OCTETS), fault.header, fault)
        self._leave()

    def _abort(self, why: str, cause: str) -> None:
        self._node.closed[cause] += 1
        _log.warning("Diameter peer %s %s", self.origin_host or "(unknown)", why)
        self.abort()

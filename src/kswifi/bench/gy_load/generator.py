"""The load generator: one process with a few connections that keeps a fixed number of requests outstanding.

It has many more ChargingSessions open than requests outstanding and takes them in turn, so that the server gets
requests of thousands of others before the same one again. Of an answer it reads only what distinguishes success
from failure, so that the generator does not limit the server.
"""

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from kswifi.bench.gy_load.messages import PEER, REALM, UPDATES, SessionParts, load_templates, session_parts
from kswifi.diameter.constants import APPLICATION_CREDIT_CONTROL, Command, ResultCode
from kswifi.diameter.header import FLAG_REQUEST, HEADER_OCTETS, peek_header
from kswifi.diameter.messages.base import Capabilities, CapabilitiesExchangeAnswer, CapabilitiesExchangeRequest
from kswifi.kernel.errors import KswifiError

_SUCCESS: Final = bytes.fromhex("0000010c4000000c000007d1")
"""The AVP of Result-Code 2001. In an answer, that of the command comes before those of its groups."""
_RESULT_CODE: Final = _SUCCESS[:8]
_GRANTED: Final = bytes.fromhex("000001af40")
"""The beginning of the AVP Granted-Service-Unit."""
_USED_OCTETS: Final = 900_000
_BUFFER_OCTETS: Final = 4 << 20
_READ_OCTETS: Final = 1 << 18
_STUCK_SECONDS: Final = 20.0
_OTHER_KIND_EVERY: Final = 10
_STRIDE: Final = 7_919
"""Subscribers are taken in steps of this prime, so that consecutive requests do not share cached memory."""


class GeneratorFailedError(KswifiError):
    """The server refused the peer, closed a connection, or stopped answering."""

    code = "load_generator_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GyLoad:
    """The load to generate.

    Attributes:
        port: of the server's Diameter node, on loopback.
        outstanding: requests without an answer at any time.
        connections: Diameter connections.
        seconds: how long to measure.
        warm_up_seconds: load before the measurement.
        subscribers: how many lines exist.
        open_sessions: ChargingSessions open at the same time, each of a different subscriber.
    """

    port: int
    outstanding: int
    connections: int
    seconds: float
    warm_up_seconds: float
    subscribers: int
    open_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GyMeasured:
    """The result of a measurement.

    Attributes:
        answers: how many were received.
        errors: how many of them were not successful, or granted nothing to a request for credit.
        seconds: the duration.
        cpu_seconds: CPU time of the generator.
        p50_ms: median latency.
        p99_ms: 99th percentile of the latency.
    """

    answers: int
    errors: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float


class _Session:
    """One ChargingSession: the values of its messages, and the numbers of its next and its last request."""

    __slots__ = ("last_number", "next_number", "parts")

    def __init__(self, parts: SessionParts, updates: int) -> None:
        self.parts = parts
        self.next_number = 0
        self.last_number = updates + 1


def generate(load: GyLoad, report: Connection) -> None:
    """Run the generator in its process.

    It sends to ``report``: None when it has warmed up, then its ``GyMeasured``; or a text, if it failed.
    """
    try:
        generator = _Generator(load)
        generator.run_for(load.warm_up_seconds)
        report.send(None)
        report.send(generator.run_for(load.seconds))
    except (KswifiError, OSError) as error:
        report.send(str(error))


class _Generator:
    def __init__(self, load: GyLoad) -> None:
        self._load = load
        self._templates = load_templates()
        self._sockets = [_greeted(load.port) for _ in range(load.connections)]
        self._rests = [b""] * load.connections
        self._poll = select.poll()
        self._places = {sock.fileno(): place for place, sock in enumerate(self._sockets)}
        for descriptor in self._places:
            self._poll.register(descriptor, select.POLLIN)
        self._made = self._sent = self._errors = 0
        self._latencies: list[float] = []
        self._number_base = int(time.time()) % 1_000_000 * 1_000
        # The first sessions have different numbers of updates, so that all kinds of requests mix from then on.
        self._ready = deque(self._session(place % (UPDATES + 1)) for place in range(load.open_sessions))
        self._under_way = [self._ready[0]] * load.outstanding
        self._sent_at = [0.0] * load.outstanding
        for place in range(load.connections):
            self._send(place, range(place, load.outstanding, load.connections))

    def run_for(self, seconds: float) -> GyMeasured:
        """Continue the load for some seconds, and measure the answers in that time."""
        self._latencies, self._errors = [], 0
        began, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            self._turn()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        ordered = sorted(self._latencies)
        return GyMeasured(
            answers=len(ordered),
            errors=self._errors,
            seconds=took,
            cpu_seconds=cpu,
            p50_ms=ordered[len(ordered) // 2] * 1000 if ordered else 0.0,
            p99_ms=ordered[len(ordered) * 99 // 100] * 1000 if ordered else 0.0,
        )

    def _turn(self) -> None:
        """Read the answers on each connection, and send a new request for each answer."""
        events = self._poll.poll(_STUCK_SECONDS * 1000)
        if not events:
            raise GeneratorFailedError(f"no answer came for {_STUCK_SECONDS:.0f} seconds")
        for descriptor, _ in events:
            place = self._places[descriptor]
            octets = self._sockets[place].recv(_READ_OCTETS)
            if not octets:
                raise GeneratorFailedError("the server closed a connection")
            free = self._take(place, self._rests[place] + octets)
            if free:
                self._send(place, free)

    def _take(self, place: int, data: bytes) -> list[int]:
        """Check the answers in these octets; return the slots that they free."""
        now = time.perf_counter()
        sent_at, under_way, latencies = self._sent_at, self._under_way, self._latencies
        number_of = int.from_bytes
        start, end = 0, len(data)
        free = []
        while end - start >= HEADER_OCTETS:
            behind = start + number_of(data[start + 1 : start + 4], "big")
            if behind > end:
                break
            if data[start + 4] & FLAG_REQUEST:  # a watchdog request; the traffic itself keeps the connection alive
                start = behind
                continue
            slot = number_of(data[start + 12 : start + 16], "big")
            latencies.append(now - sent_at[slot])
            session = under_way[slot]
            asks = session.next_number <= session.last_number
            result = data.find(_RESULT_CODE, start, behind)
            if not data.startswith(_SUCCESS, result) or (asks and data.find(_GRANTED, result, behind) < 0):
                self._errors += 1
            self._ready.append(session if asks else self._session(UPDATES))
            free.append(slot)
            start = behind
        self._rests[place] = data[start:]
        return free

    def _send(self, place: int, slots: Sequence[int]) -> None:
        """Send one request in each free slot, each of the next ChargingSession in turn."""
        templates, ready, under_way, sent = self._templates, self._ready, self._under_way, self._sent
        instant = int(time.time())
        requests = []
        for slot in slots:
            session = under_way[slot] = ready.popleft()
            number = session.next_number
            session.next_number = number + 1
            kinds = templates[1 if 0 < number < session.last_number else 2 if number else 0]
            sent += 1
            other = sent % _OTHER_KIND_EVERY == 0
            template = kinds[1 + sent // _OTHER_KIND_EVERY % (len(kinds) - 1)] if other else kinds[0]
            requests.append(template.fill(session.parts, slot, number, instant, _USED_OCTETS))
        self._sent = sent
        now = time.perf_counter()
        for slot in slots:
            self._sent_at[slot] = now
        self._sockets[place].sendall(b"".join(requests))

    def _session(self, updates: int) -> _Session:
        made = self._made
        self._made = made + 1
        return _Session(session_parts(self._number_base + made, made * _STRIDE % self._load.subscribers), updates)


def _greeted(port: int) -> socket.socket:
    """Return a connection on which capabilities were exchanged."""
    connection = socket.create_connection(("127.0.0.1", port), _STUCK_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_OCTETS)
    connection.sendall(
        CapabilitiesExchangeRequest(
            capabilities=Capabilities(
                origin_host=PEER,
                origin_realm=REALM,
                host_ip_addresses=("127.0.0.1",),
                auth_application_ids=(APPLICATION_CREDIT_CONTROL,),
            ),
            hop_by_hop=1,
            end_to_end=1,
        ).encode()
    )
    answer = b""
    while len(answer) < HEADER_OCTETS or len(answer) < int.from_bytes(answer[1:4], "big"):
        octets = connection.recv(_READ_OCTETS)
        if not octets:
            raise GeneratorFailedError("the server closed the connection instead of answering the CER")
        answer += octets
    if peek_header(answer).command_code != Command.CAPABILITIES_EXCHANGE:
        raise GeneratorFailedError("the server did not answer the CER")
    refused = CapabilitiesExchangeAnswer.decode(answer).result_code
    if refused != ResultCode.SUCCESS:
        raise GeneratorFailedError(f"the server refused the peer with {refused}")
    return connection

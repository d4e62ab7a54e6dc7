"""The load generator: one process, a few connections, so many requests outstanding at any moment.

It keeps many more sessions open than requests outstanding and takes them in turn, so the server meets a session
again only after thousands of others. It reads of an answer what tells success from failure, and no more: it must
not be what limits the server.
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
"""Result-Code 2001 as a whole AVP; that of the command stands before those of its groups."""
_RESULT_CODE: Final = _SUCCESS[:8]
_GRANTED: Final = bytes.fromhex("000001af40")
"""How Granted-Service-Unit begins."""
_USED_OCTETS: Final = 900_000
_BUFFER_OCTETS: Final = 4 << 20
_READ_OCTETS: Final = 1 << 18
_STUCK_SECONDS: Final = 20.0
_OTHER_KIND_EVERY: Final = 10
_STRIDE: Final = 7_919
"""Subscribers are taken in this stride, a prime: neighbours in time are none in memory."""


class GeneratorFailedError(KswifiError):
    """The server refused the peer, closed a connection, or stopped answering."""

    code = "load_generator_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GyLoad:
    """What the generator does; ``open_sessions`` are open at once, each of another one of the ``subscribers``."""

    port: int
    outstanding: int
    connections: int
    seconds: float
    warm_up_seconds: float
    subscribers: int
    open_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GyMeasured:
    """What came of it within the measured seconds.

    ``errors`` are answers that were no success, or granted nothing to a request that asks; ``cpu_seconds`` are
    the generator's own.
    """

    answers: int
    errors: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float


class _Session:
    """One session: what its messages hold, the number of its next one, and that of its TERMINATION."""

    __slots__ = ("last_number", "next_number", "parts")

    def __init__(self, parts: SessionParts, updates: int) -> None:
        self.parts = parts
        self.next_number = 0
        self.last_number = updates + 1


def generate(load: GyLoad, told: Connection) -> None:
    """Be the process: warm up, say so, measure, and tell the ``GyMeasured``, or why there is none."""
    try:
        generator = _Generator(load)
        generator.run_for(load.warm_up_seconds)
        told.send(None)
        told.send(generator.run_for(load.seconds))
    except (KswifiError, OSError) as error:
        told.send(str(error))


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
        # The first round ends early by another number for each, so that from then on all kinds of requests mix.
        self._ready = deque(self._session(place % (UPDATES + 1)) for place in range(load.open_sessions))
        self._under_way = [self._ready[0]] * load.outstanding
        self._sent_at = [0.0] * load.outstanding
        for place in range(load.connections):
            self._send(place, range(place, load.outstanding, load.connections))

    def run_for(self, seconds: float) -> GyMeasured:
        """Go on with the load for so long, and measure what comes meanwhile."""
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
        """Read what came on each connection, and follow every answer with the next request."""
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
        """Check the answers in these octets; return the slots they leave free."""
        now = time.perf_counter()
        sent_at, under_way, latencies = self._sent_at, self._under_way, self._latencies
        number_of = int.from_bytes
        start, end = 0, len(data)
        free = []
        while end - start >= HEADER_OCTETS:
            behind = start + number_of(data[start + 1 : start + 4], "big")
            if behind > end:
                break
            if data[start + 4] & FLAG_REQUEST:  # a watchdog: what flows here answers it well enough
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
        """Send the next request of as many sessions as there are free slots."""
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
            raise GeneratorFailedError("the server closed the connection instead of greeting")
        answer += octets
    if peek_header(answer).command_code != Command.CAPABILITIES_EXCHANGE:
        raise GeneratorFailedError("the server did not greet")
    refused = CapabilitiesExchangeAnswer.decode(answer).result_code
    if refused != ResultCode.SUCCESS:
        raise GeneratorFailedError(f"the server refused the peer with {refused}")
    return connection

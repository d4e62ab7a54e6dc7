"""The open connections of a server, counted by client, each with a deadline for its current phase.

One pool serves all HTTP listeners of a process, because they share its descriptors. All connections of a phase have
the same time limit, and a connection that enters a phase goes to the end of that phase's table. So each table is in
the order of the deadlines, and a sweep can stop at the first connection that is not due.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import structlog

from kswifi.listeners.limits import ConnectionLimits, client_group

_log = structlog.get_logger(__name__)

_SHORTEST_SWEEP_SECONDS: Final = 0.02
_LONGEST_SWEEP_SECONDS: Final = 0.5


class Phase(StrEnum):
    """The step that a connection is in."""

    HANDSHAKE = "handshake"
    """The TLS handshake is not complete."""
    HEAD = "head"
    """The head of a request is not complete, or the first request has not begun."""
    BODY = "body"
    """The body of a request is not complete."""
    ANSWER = "answer"
    """The application is working, or an event stream is open. There is no deadline."""
    READING = "reading"
    """Octets of an answer wait for the client to read; also while the connection is closing."""
    IDLE = "idle"
    """Between two requests. uvicorn's keep-alive timer closes it."""


class Cause(StrEnum):
    """Why the server closed or refused a connection. Metrics and log lines use these names."""

    HANDSHAKE_LATE = "handshake_late"
    HANDSHAKE_FAILED = "handshake_failed"
    HEAD_LATE = "head_late"
    BODY_LATE = "body_late"
    READING_SLOW = "reading_slow"
    IDLE = "idle"
    MALFORMED = "malformed"
    REFUSED_ADDRESS = "refused_address"
    """The client has reached its limit, and all its connections are busy."""
    REFUSED_FULL = "refused_full"
    """The server has reached its limit, and all connections are busy."""
    EVICTED = "evicted"
    """A silent connection was closed to make room for a newer one."""


_LATE: Final = {
    Phase.HANDSHAKE: Cause.HANDSHAKE_LATE,
    Phase.HEAD: Cause.HEAD_LATE,
    Phase.BODY: Cause.BODY_LATE,
    Phase.READING: Cause.READING_SLOW,
}
_SILENT: Final = frozenset({Phase.HANDSHAKE, Phase.HEAD, Phase.IDLE})
"""The phases without a complete request, in which the server owes no answer: such a connection may be evicted."""
_ORDINARY: Final = frozenset({Cause.IDLE})
_ATTACKS: Final = frozenset({Cause.REFUSED_ADDRESS, Cause.REFUSED_FULL, Cause.EVICTED})


class HeldConnection:
    """One connection in a pool.

    Attributes:
        listener: the name of the listener that accepted it.
        address: the client's IP address.
        group: the key under which the client's connections are counted.
        abort: closes the connection at once.
        late: called when the deadline of the phase has passed; returns whether the pool must close the connection.
            It may give the client more time with ``enter``.
        phase: the current phase.
        since: when the phase began, in seconds of the event loop's clock.
    """

    __slots__ = ("_pool", "abort", "address", "group", "late", "listener", "phase", "since")

    def __init__(self, pool: "ConnectionPool", listener: str, address: str, abort: Callable[[], None]) -> None:
        self._pool = pool
        self.listener = listener
        self.address = address
        self.group = client_group(address)
        self.abort = abort
        self.late: Callable[[], bool] = lambda: True
        self.phase = Phase.HEAD
        self.since = 0.0

    @property
    def read_octets(self) -> int:
        """How many octets of an answer the client must read within one period of the phase ``READING``."""
        return self._pool.limits.read_octets

    def enter(self, phase: Phase) -> None:
        """Begin a phase and its deadline. Entering the current phase again restarts its deadline."""
        self._pool.place(self, phase)

    def report(self, cause: Cause) -> None:
        """Count a cause and write it to the log."""
        self._pool.report(cause, self.listener, self.address)

    def leave(self) -> None:
        """Remove the closed connection from the pool. Idempotent."""
        self._pool.remove(self)


class ConnectionPool:
    """The connections of all HTTP listeners of one process."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self.counts: Counter[tuple[str, Cause]] = Counter()
        """How many connections were closed or refused since the start, by listener and cause."""
        self.exhaustions: Counter[str] = Counter()
        """How often no descriptor was left to accept a connection, by listener."""
        self._phases: dict[Phase, dict[HeldConnection, None]] = {phase: {} for phase in Phase}
        self._groups: dict[str, dict[HeldConnection, None]] = {}
        self._seconds: Final = {
            Phase.HANDSHAKE: self.limits.handshake_seconds,
            Phase.HEAD: self.limits.head_seconds,
            Phase.BODY: self.limits.body_seconds,
            Phase.READING: self.limits.read_seconds,
        }
        pause = min(self._seconds.values()) / 10
        self._pause = min(max(pause, _SHORTEST_SWEEP_SECONDS), _LONGEST_SWEEP_SECONDS)
        self._sweeping = False

    def __len__(self) -> int:
        """Return the number of connections in the pool."""
        return sum(len(held) for held in self._phases.values())

    def held(self) -> Counter[tuple[str, Phase]]:
        """Return the number of connections by listener and phase."""
        return Counter((held.listener, phase) for phase, table in self._phases.items() for held in table)

    def admit(
        self, listener: str, address: str, abort: Callable[[], None], phase: Phase = Phase.HEAD
    ) -> HeldConnection | None:
        """Add a new connection, or return None to refuse it.

        At a limit the connection that has been silent for longest is closed to make room: one of the same client if
        the client has reached its limit, any if the server has. A connection whose request is being served is never
        closed for this; if there are no others, the new connection is refused.

        Args:
            listener: the name of the accepting listener.
            address: the client's IP address.
            abort: closes the connection at once.
            phase: the phase that it begins in.
        """
        held = HeldConnection(self, listener, address, abort)
        own = self._groups.get(held.group, {})
        if len(own) >= self.limits.per_address and not self.limits.is_exempt(address):
            if not self._evict(next((it for it in own if it.phase in _SILENT), None)):
                held.report(Cause.REFUSED_ADDRESS)
                return None
        elif len(self) >= self.limits.connections and not self.make_room():
            held.report(Cause.REFUSED_FULL)
            return None
        self._groups.setdefault(held.group, {})[held] = None
        self.place(held, phase)
        self._keep_sweeping()
        return held

    def make_room(self) -> bool:
        """Close the connection that has been silent for longest, preferably one without a complete head.

        Returns:
            False if no connection is silent.
        """
        headless = [next(iter(self._phases[it])) for it in (Phase.HANDSHAKE, Phase.HEAD) if self._phases[it]]
        oldest = min(headless, key=lambda it: it.since, default=None)
        return self._evict(oldest or next(iter(self._phases[Phase.IDLE]), None))

    def place(self, held: HeldConnection, phase: Phase) -> None:
        """Move a connection to the end of a phase's table. No effect after it has left the pool."""
        if held.group not in self._groups or held not in self._groups[held.group]:
            return  # it has left; its transport may still report events
        self._phases[held.phase].pop(held, None)
        held.phase, held.since = phase, asyncio.get_running_loop().time()
        self._phases[phase][held] = None

    def remove(self, held: HeldConnection) -> None:
        """Remove a connection. Idempotent."""
        self._phases[held.phase].pop(held, None)
        own = self._groups.get(held.group, {})
        own.pop(held, None)
        if not own:
            self._groups.pop(held.group, None)

    def report(self, cause: Cause, listener: str, address: str) -> None:
        """Count a cause and write it to the log."""
        self.counts[listener, cause] += 1
        if cause not in _ORDINARY:
            say = _log.warning if cause in _ATTACKS else _log.info
            say(f"connection_{cause}", listener=listener, address=address)

    def exhausted(self, listener: str) -> None:
        """Count and log that no descriptor was left for a listener, and close one silent connection if possible."""
        self.exhaustions[listener] += 1
        freed = self.make_room()
        _log.error("descriptors_exhausted", listener=listener, freed=freed, connections=len(self))

    def _evict(self, held: HeldConnection | None) -> bool:
        if held is None:
            return False
        held.report(Cause.EVICTED)
        held.leave()
        held.abort()
        return True

    def _keep_sweeping(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(self._pause, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        now = asyncio.get_running_loop().time()
        for phase, seconds in self._seconds.items():
            for held in self._due(phase, now - seconds):
                if held.late():
                    held.report(_LATE[phase])
                    held.leave()
                    held.abort()
        if self._groups:
            self._keep_sweeping()

    def _due(self, phase: Phase, since: float) -> list[HeldConnection]:
        due = []
        for held in self._phases[phase]:
            if held.since > since:
                break
            due.append(held)
        return due

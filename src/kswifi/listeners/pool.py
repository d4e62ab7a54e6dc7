"""The connections that a server holds: counted by client address, each with a deadline for its present phase.

One pool serves all HTTP listeners of a process, since they share its descriptors. Every phase has one length, so
connections stand in each phase's table in the order of their deadlines, and a sweep looks only at those that are
due.
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
    """What a connection is at."""

    HANDSHAKE = "handshake"
    """The TLS handshake is not complete."""
    HEAD = "head"
    """The head of a request is not complete, or the first has not begun."""
    BODY = "body"
    ANSWER = "answer"
    """The application works, or an event stream is open; without a deadline."""
    READING = "reading"
    """Octets wait until the client reads; also while the connection closes."""
    IDLE = "idle"
    """Between two requests; uvicorn's keep-alive timer closes it."""


class Cause(StrEnum):
    """Why the server closed or refused a connection, as metrics and log lines name it."""

    HANDSHAKE_LATE = "handshake_late"
    HANDSHAKE_FAILED = "handshake_failed"
    HEAD_LATE = "head_late"
    BODY_LATE = "body_late"
    READING_SLOW = "reading_slow"
    IDLE = "idle"
    MALFORMED = "malformed"
    REFUSED_ADDRESS = "refused_address"
    """The client's address holds as many as it may, and all of them are busy."""
    REFUSED_FULL = "refused_full"
    """The server holds as many as it can, and all of them are busy."""
    EVICTED = "evicted"
    """A silent connection that made room for a newer one."""


_LATE: Final = {
    Phase.HANDSHAKE: Cause.HANDSHAKE_LATE,
    Phase.HEAD: Cause.HEAD_LATE,
    Phase.BODY: Cause.BODY_LATE,
    Phase.READING: Cause.READING_SLOW,
}
_SILENT: Final = frozenset({Phase.HANDSHAKE, Phase.HEAD, Phase.IDLE})
"""The phases in which a client is owed no answer: such a connection may be closed to make room."""
_ORDINARY: Final = frozenset({Cause.IDLE})
_ATTACKS: Final = frozenset({Cause.REFUSED_ADDRESS, Cause.REFUSED_FULL, Cause.EVICTED})


class HeldConnection:
    """One connection in a pool.

    ``abort`` closes it at once. ``late`` is called when a deadline has passed, and returns whether the connection
    is to be closed; it may give the client more time by ``enter``.
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
        """How many octets of an answer the client must take within the phase ``READING``."""
        return self._pool.limits.read_octets

    def enter(self, phase: Phase) -> None:
        """Begin a phase and its deadline; entering the present one again begins its deadline anew."""
        self._pool.place(self, phase)

    def report(self, cause: Cause) -> None:
        """Count a cause and write it to the log."""
        self._pool.report(cause, self.listener, self.address)

    def leave(self) -> None:
        """Forget the connection; it is closed. Leaving twice changes nothing."""
        self._pool.remove(self)


class ConnectionPool:
    """All connections of the HTTP listeners of one process."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self.counts: Counter[tuple[str, Cause]] = Counter()
        """By listener and cause, since the start."""
        self.exhaustions: Counter[str] = Counter()
        """By listener: how often no descriptor was left to accept a connection."""
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
        """Return how many connections are held."""
        return sum(len(held) for held in self._phases.values())

    def held(self) -> Counter[tuple[str, Phase]]:
        """Return how many connections each listener holds in each phase."""
        return Counter((held.listener, phase) for phase, table in self._phases.items() for held in table)

    def admit(
        self, listener: str, address: str, abort: Callable[[], None], phase: Phase = Phase.HEAD
    ) -> HeldConnection | None:
        """Take a new connection in; None refuses it.

        At a limit the oldest silent connection makes room: of the same client address where that has reached its
        limit, of all where the server is full. A connection whose request is being served is never closed for it.
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
        """Close the connection that has been silent for longest, one without a complete head first.

        Returns:
            False where no connection is silent.
        """
        headless = [next(iter(self._phases[it])) for it in (Phase.HANDSHAKE, Phase.HEAD) if self._phases[it]]
        oldest = min(headless, key=lambda it: it.since, default=None)
        return self._evict(oldest or next(iter(self._phases[Phase.IDLE]), None))

    def place(self, held: HeldConnection, phase: Phase) -> None:
        """Put a connection at the end of a phase's table."""
        if held.group not in self._groups or held not in self._groups[held.group]:
            return  # it has left: what its transport still reports changes nothing
        self._phases[held.phase].pop(held, None)
        held.phase, held.since = phase, asyncio.get_running_loop().time()
        self._phases[phase][held] = None

    def remove(self, held: HeldConnection) -> None:
        """Forget a connection."""
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
        """Note that no descriptor was left for a listener, and free one if a connection is silent."""
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

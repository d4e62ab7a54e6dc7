"""Detect gateways that restarted and lost their sessions (Origin-State-Id, RFC 6733, 8.16).

A gateway that lost its sessions raises its Origin-State-Id. Its older sessions are marked here, and not ended at
once: several gateways behind one Origin-Host, or a routing agent, can look as if the value rose. An UPDATE of a
marked session proves that, and clears the marks of that origin. Nothing is written to a session: the mark follows
from the Origin-State-Id under which the session was opened, so that the restart of a gateway with many sessions
costs nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from kswifi.charging.model import ChargingSession
from kswifi.charging.registry import SessionRegistry

MAX_ORIGINS: Final = 10_000
"""Beyond it, the origin that was added first is forgotten."""
EXAMINED_AT_ONCE: Final = 20_000
"""Sessions that one sweep examines: a few milliseconds."""


@dataclass(slots=True)
class _Origin:
    newest: int
    """The highest Origin-State-Id seen."""
    connected: frozenset[int]
    """The values of the open connections, as far as they are known."""
    since: float
    """When the newest value was first seen."""
    is_cleared: bool = False
    is_swept: bool = False


class OriginStates:
    """Decides which open sessions their gateways have probably lost."""

    def __init__(self, sessions: SessionRegistry) -> None:
        self._sessions = sessions
        self._origins: dict[str, _Origin] = {}
        self._unseen: list[str] = []
        self._sweeping: list[_Origin] = []

    def peer_changed(self, origin_host: str, state_ids: Collection[int], now: float) -> None:
        """Record the Origin-State-Ids of a peer's open connections; call it whenever one opens or closes."""
        if not state_ids:
            return
        origin = self._rise(origin_host, max(state_ids), now)
        origin.connected = frozenset(state_ids)

    def heard(self, origin_host: str, state_id: int, now: float) -> None:
        """Record the Origin-State-Id of a request, which may have come through a routing agent."""
        self._rise(origin_host, state_id, now)

    def _rise(self, origin_host: str, state_id: int, now: float) -> _Origin:
        name = origin_host.lower()
        origin = self._origins.get(name)
        if origin is None:
            if len(self._origins) >= MAX_ORIGINS:
                del self._origins[next(iter(self._origins))]
            origin = self._origins[name] = _Origin(state_id, frozenset(), now)
        elif state_id > origin.newest:
            origin.newest, origin.since = state_id, now
            origin.is_cleared = origin.is_swept = False
        return origin

    def is_marked(self, charging_session: ChargingSession) -> bool:
        """Return whether a session's gateway has probably lost it.

        The gateway restarted, and the connection with the old Origin-State-Id is closed.
        """
        return self._marking(charging_session) is not None

    def _marking(self, charging_session: ChargingSession) -> _Origin | None:
        bearer = charging_session.bearer
        origin = self._origins.get(bearer.peer.lower())
        if origin is None or origin.is_cleared or bearer.origin_state_id is None:
            return None
        is_older = bearer.origin_state_id < origin.newest and bearer.origin_state_id not in origin.connected
        return origin if is_older else None

    def clear(self, charging_session: ChargingSession) -> None:
        """Clear the marks of an origin, because one of its marked sessions sent a request."""
        origin = self._marking(charging_session)
        if origin is not None:
            origin.is_cleared = True

    def lost(self, now: float, grace_seconds: float, limit: int) -> list[ChargingSession]:
        """Return at most ``limit`` sessions marked for longer than the grace.

        The next call continues after the last one.
        """
        if not self._unseen:
            self._sweeping = [
                it
                for it in self._origins.values()
                if not it.is_cleared and not it.is_swept and now - it.since >= grace_seconds
            ]
            if not self._sweeping:
                return []
            self._unseen = self._sessions.ids()
        found: list[ChargingSession] = []
        examined = 0
        while self._unseen and len(found) < limit and examined < EXAMINED_AT_ONCE:
            examined += 1
            charging_session = self._sessions.get(self._unseen.pop())
            if charging_session is not None and self._marking(charging_session) in self._sweeping:
                found.append(charging_session)
        if not self._unseen:
            for origin in self._sweeping:
                origin.is_swept = True
        return found

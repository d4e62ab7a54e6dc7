"""The registry of open ChargingSessions: by Session-Id, by wallet, and by the end of their allowed silence."""

import heapq
from collections.abc import Iterator

from kswifi.charging.journal_notes import Bearer
from kswifi.charging.model import ChargingSession


class SessionRegistry:
    """Holds open sessions in memory. A restart fills it from the ledger's open reservations."""

    def __init__(self) -> None:
        self._sessions: dict[str, ChargingSession] = {}
        self._of_wallet: dict[str, dict[str, ChargingSession]] = {}
        self._supervised: list[tuple[float, str]] = []
        """A heap with one entry for each charging_session, at or before its expiry."""

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, session_id: str) -> ChargingSession | None:
        """Return an open session, or None."""
        return self._sessions.get(session_id)

    def of_wallet(self, wallet_id: str) -> tuple[ChargingSession, ...]:
        """Return the open sessions of a wallet."""
        return tuple(self._of_wallet.get(wallet_id, {}).values())

    def count_of_wallet(self, wallet_id: str) -> int:
        """Return how many open sessions a wallet has."""
        return len(self._of_wallet.get(wallet_id, ()))

    def ids(self) -> list[str]:
        """Return the Session-Ids of all open sessions."""
        return list(self._sessions)

    def add(self, charging_session: ChargingSession) -> None:
        """Add a session that just opened."""
        self._sessions[charging_session.session_id] = charging_session
        self._of_wallet.setdefault(charging_session.wallet_id, {})[charging_session.session_id] = charging_session
        heapq.heappush(self._supervised, (charging_session.expires_at, charging_session.session_id))

    def remove(self, charging_session: ChargingSession) -> None:
        """Remove a session that ended. Idempotent."""
        if self._sessions.pop(charging_session.session_id, None) is None:
            return
        others = self._of_wallet[charging_session.wallet_id]
        del others[charging_session.session_id]
        if not others:
            del self._of_wallet[charging_session.wallet_id]

    def orphans_of(self, wallet_id: str, bearer: Bearer, *, retransmitted: bool) -> list[ChargingSession]:
        """Return the wallet's sessions that a new bearer replaced.

        The bearer's own session is included if it is open.
        """
        return [
            it for it in self.of_wallet(wallet_id) if bearer.is_successor_of(it.bearer, retransmitted=retransmitted)
        ]

    def overdue(self, now: float, limit: int) -> Iterator[ChargingSession]:
        """Yield at most ``limit`` sessions that were silent for too long; the caller settles and removes them.

        A session that is not removed is examined again in the next round.
        """
        kept: list[ChargingSession] = []
        for _ in range(limit):
            if not self._supervised or self._supervised[0][0] > now:
                break
            _, session_id = heapq.heappop(self._supervised)
            charging_session = self._sessions.get(session_id)
            if charging_session is None:
                continue
            kept.append(charging_session)
            if charging_session.expires_at <= now:
                yield charging_session
        for charging_session in kept:
            if charging_session.session_id in self._sessions:
                heapq.heappush(self._supervised, (charging_session.expires_at, charging_session.session_id))

"""Delay refusals of INITIAL, for gateways that cannot handle an immediate refusal.

Open5GS 2.7 may abort when its attach is refused while it still sets up the bearer in another component. The
connection continues meanwhile: a delayed refusal does not count as an outstanding request.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_PENDING: Final = 10_000
"""The most delayed refusals; beyond it, refusals are sent at once."""

Write: TypeAlias = Callable[[bytes], None]
"""Writes an answer on the connection of its request; no effect once that peer has left."""
_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Pending:
    timer: asyncio.TimerHandle
    answers: list[tuple[Write, bytes]] = field(default_factory=list)


class DelayedRefusals:
    """Holds refusals back, by Origin-Host and Session-Id."""

    def __init__(self, seconds: float, peers: frozenset[str] = frozenset()) -> None:
        """Set the delay.

        Args:
            seconds: the delay; 0 disables it.
            peers: Origin-Hosts in lower case whose INITIALs are refused late; empty for all peers.
        """
        self._seconds = seconds
        self._peers = peers
        self._pending: dict[_Key, _Pending] = {}
        self._count = 0
        self._is_closed = False

    def concerns(self, origin_host: str) -> bool:
        """Return whether refusals to this peer are delayed."""
        return self._seconds > 0 and (not self._peers or origin_host.lower() in self._peers)

    def __len__(self) -> int:
        return self._count

    def keep(self, origin_host: str, session_id: str, answer: bytes, write: Write) -> None:
        """Write an answer later; a copy of the request is answered together with the first one."""
        if self._is_closed or self._count >= MAX_PENDING:
            write(answer)
            return
        key = (origin_host.lower(), session_id)
        pending = self._pending.get(key)
        if pending is None:
            timer = asyncio.get_running_loop().call_later(self._seconds, self._send, key)
            pending = self._pending[key] = _Pending(timer)
        pending.answers.append((write, answer))
        self._count += 1

    def drop(self, origin_host: str, session_id: str) -> None:
        """Drop the refusals of a session that its gateway has ended: it does not expect an answer any more."""
        if self._pending:
            self._take((origin_host.lower(), session_id))

    def flush(self) -> None:
        """Write all delayed refusals and delay none from now on: the node is about to stop."""
        self._is_closed = True
        for key in tuple(self._pending):
            self._send(key)

    def _send(self, key: _Key) -> None:
        for write, answer in self._take(key):
            write(answer)

    def _take(self, key: _Key) -> list[tuple[Write, bytes]]:
        pending = self._pending.pop(key, None)
        if pending is None:
            return []
        pending.timer.cancel()
        self._count -= len(pending.answers)
        return pending.answers

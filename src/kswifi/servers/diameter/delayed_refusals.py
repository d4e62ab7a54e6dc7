"""Refusals of INITIAL that leave a little later, for gateways that cannot take them at once.

Open5GS 2.7 may abort when its attach is refused while it still sets the bearer up elsewhere. The connection goes on
meanwhile: a refusal that waits holds no place among the outstanding requests.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_PENDING: Final = 10_000
"""Refusals that wait; any more leave at once."""

Write: TypeAlias = Callable[[bytes], None]
"""Writes an answer on the connection that its request came by; does nothing once that peer has left."""
_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Pending:
    timer: asyncio.TimerHandle
    answers: list[tuple[Write, bytes]] = field(default_factory=list)


class DelayedRefusals:
    """Keeps refusals back, by Origin-Host and Session-Id."""

    def __init__(self, seconds: float, peers: frozenset[str] = frozenset()) -> None:
        """``peers``: whose INITIALs are refused late, as Origin-Hosts in lower case; empty for all peers."""
        self._seconds = seconds
        self._peers = peers
        self._pending: dict[_Key, _Pending] = {}
        self._count = 0
        self._is_closed = False

    def concerns(self, origin_host: str) -> bool:
        """Tell whether refusals to this peer are kept back."""
        return self._seconds > 0 and (not self._peers or origin_host.lower() in self._peers)

    def __len__(self) -> int:
        return self._count

    def keep(self, origin_host: str, session_id: str, answer: bytes, write: Write) -> None:
        """Write an answer later; a copy of the request joins the one that waits."""
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
        """Forget what waits for a session that its gateway has ended: an answer would find it gone."""
        if self._pending:
            self._take((origin_host.lower(), session_id))

    def flush(self) -> None:
        """Write everything that waits, and keep nothing back from now on: the node is about to stop."""
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
